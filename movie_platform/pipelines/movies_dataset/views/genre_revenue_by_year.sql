-- Each genre's revenue per year: a movie counts once, however many companies it has, and also where it has none.
CREATE VIEW genre_revenue_by_year AS
SELECT
    genre,
    release_year,
    CAST(SUM(revenue) AS BIGINT) AS total_revenue,
    COUNT(*) AS movies
FROM (
    SELECT DISTINCT genre, release_year, movie_id, revenue
    FROM movies_aggregated
    WHERE genre IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY genre, release_year
