-- For each affected key, all rows of the highest partition that it appears in.
INSERT INTO {derived} ({columns})
SELECT {columns_of_source}
FROM {target} AS source
JOIN (
    SELECT {key_of_candidate}, max(candidate.{partition}) AS latest_partition
    FROM {target} AS candidate
    JOIN {affected} AS affected ON {same_key_affected}
    GROUP BY {key_of_candidate}
) AS latest ON {same_key_latest} AND source.{partition} = latest.latest_partition
