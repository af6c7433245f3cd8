-- Each genre's profit per year: a movie counts once, however many companies it has, and also where it has none.
CREATE VIEW genre_profit_by_year AS
SELECT
    genre,
    release_year,
    CAST(SUM(profit) AS BIGINT) AS total_profit,
    COUNT(*) AS movies
FROM (
    SELECT DISTINCT genre, release_year, movie_id, profit
    FROM movies_aggregated
    WHERE genre IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY genre, release_year
