SELECT max(CAST({partition} AS {type})) FROM {loads} WHERE {table_name} = ?
