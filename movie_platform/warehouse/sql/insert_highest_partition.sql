INSERT INTO {derived} ({columns})
SELECT {columns} FROM {target} WHERE {partition} = ?
