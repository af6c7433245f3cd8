-- Keys that a load takes out or brings in.
INSERT INTO {affected} ({key})
SELECT {key} FROM {target} WHERE {partition} IN (SELECT {partition} FROM {loading})
UNION
SELECT {key} FROM {staged}
