INSERT INTO {target} SELECT * FROM {rows}
