SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale
FROM svv_columns
WHERE table_schema = ? AND table_name = ?
