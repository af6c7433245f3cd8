SELECT {key}, count(*) FROM {staged} GROUP BY {key} HAVING count(*) > 1 ORDER BY {key} LIMIT 1
