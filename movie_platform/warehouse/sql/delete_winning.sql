DELETE FROM {target} USING {winning} AS winning WHERE {same_key}
