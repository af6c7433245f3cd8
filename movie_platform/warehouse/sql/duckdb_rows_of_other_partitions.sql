-- Rows whose own partition column says something else than the partition they are loaded as.
SELECT count(*)
FROM read_parquet({files}, filename = true, hive_partitioning = false) AS rows
JOIN {placed} AS placed ON placed.file = rows.filename
WHERE rows.{partition} IS DISTINCT FROM CAST(placed.partition AS {partition_type})
