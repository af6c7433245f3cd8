INSERT INTO {derived} ({columns})
SELECT {columns_of_source}
FROM {target} AS source
JOIN (
    SELECT {key_of_candidate}, max(candidate.{partition}) AS latest_partition
    FROM {target} AS candidate
    GROUP BY {key_of_candidate}
) AS latest ON {same_key_latest} AND source.{partition} = latest.latest_partition
