MERGE INTO {target} AS target USING {winning} AS winning ON {same_key}
WHEN MATCHED THEN UPDATE SET {assignments}
WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({columns_of_winning})
