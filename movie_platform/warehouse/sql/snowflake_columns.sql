SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale
FROM information_schema.columns
WHERE upper(table_schema) = ? AND table_name = ?
