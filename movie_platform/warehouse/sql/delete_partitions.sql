DELETE FROM {target} WHERE {partition} IN (SELECT {partition} FROM {loading})
