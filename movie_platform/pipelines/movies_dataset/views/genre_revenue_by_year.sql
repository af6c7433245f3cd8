-- Each genre's revenue per year, of the movies whose revenue is known: the source writes 0 for one that is not.
-- A movie counts once, however many companies it has, and also where it has none.
CREATE VIEW genre_revenue_by_year AS
SELECT
    genre,
    release_year,
    CAST(SUM(known_revenue) AS BIGINT) AS total_revenue,
    COUNT(*) AS movies,
    COUNT(known_revenue) AS movies_known,
    COUNT(*) - COUNT(known_revenue) AS movies_unknown
FROM (
    SELECT DISTINCT genre, release_year, movie_id, NULLIF(revenue, 0) AS known_revenue
    FROM movies_aggregated
    WHERE genre IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY genre, release_year
