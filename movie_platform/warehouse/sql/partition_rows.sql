SELECT {partition}, count(*) FROM {target}
WHERE {partition} IN (SELECT {partition} FROM {loading}) GROUP BY {partition}
