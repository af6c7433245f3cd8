SELECT {columns} FROM {loads} WHERE {conditions} ORDER BY {load_number}
