-- Staged rows whose key no newer version has written.
INSERT INTO {winning} ({columns})
SELECT {columns_of_staged}
FROM {staged} AS staged
LEFT JOIN {versions} AS written ON {same_key}
WHERE written.{version} IS NULL OR written.{version} <= ?
