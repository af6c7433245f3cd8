CREATE TEMPORARY VIEW {staged} AS
SELECT {columns} FROM read_parquet({files}, hive_partitioning = false)
