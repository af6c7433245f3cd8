-- Each genre's budget per year, of the movies whose budget is known: the source writes 0 for one that is not.
-- A movie counts once, however many companies it has, and also where it has none.
CREATE VIEW genre_budget_by_year AS
SELECT
    genre,
    release_year,
    CAST(SUM(known_budget) AS BIGINT) AS total_budget,
    COUNT(*) AS movies,
    COUNT(known_budget) AS movies_known,
    COUNT(*) - COUNT(known_budget) AS movies_unknown
FROM (
    SELECT DISTINCT genre, release_year, movie_id, NULLIF(budget, 0) AS known_budget
    FROM movies_aggregated
    WHERE genre IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY genre, release_year
