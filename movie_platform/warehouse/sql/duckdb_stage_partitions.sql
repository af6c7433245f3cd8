INSERT INTO {staged} ({columns})
SELECT {others}, CAST(placed.partition AS {partition_type})
FROM read_parquet({files}, filename = true, hive_partitioning = false) AS rows
JOIN {placed} AS placed ON placed.file = rows.filename
