INSERT INTO {staged} ({columns})
SELECT {values}
FROM read_parquet({files}, filename = true, hive_partitioning = false) AS rows
JOIN {placed} AS placed ON placed.file = rows.filename
