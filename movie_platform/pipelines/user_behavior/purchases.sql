SELECT $columns
FROM $relation
WHERE $condition
ORDER BY $order
