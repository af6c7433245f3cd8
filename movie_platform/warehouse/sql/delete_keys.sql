DELETE FROM {derived} USING {affected} AS affected WHERE {same_key}
