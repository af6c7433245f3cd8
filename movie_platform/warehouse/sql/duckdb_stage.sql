INSERT INTO {staged} ({columns})
SELECT {columns} FROM read_parquet({files}, hive_partitioning = false)
