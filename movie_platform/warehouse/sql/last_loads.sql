-- The last committed load of each partition of a table, within a range of partitions.
SELECT {columns}
FROM (
    SELECT {columns}, row_number() OVER (PARTITION BY {partition} ORDER BY {load_number} DESC) AS recency
    FROM {loads}
    WHERE {table_name} = ? AND {partition} BETWEEN ? AND ?
) AS numbered
WHERE recency = 1
