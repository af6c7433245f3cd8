-- Each genre's profit per year, of the movies whose budget and revenue are known: the source writes 0 for one that is not,
-- and its own profit counts such a movie as pure loss or pure gain. A movie counts once, however many companies it has, and also where it has none.
CREATE VIEW genre_profit_by_year AS
SELECT
    genre,
    release_year,
    CAST(SUM(known_profit) AS BIGINT) AS total_profit,
    CAST(SUM(profit) AS BIGINT) AS profit_as_published,
    COUNT(*) AS movies,
    COUNT(known_profit) AS movies_known,
    COUNT(*) - COUNT(known_profit) AS movies_unknown
FROM (
    SELECT DISTINCT
        genre,
        release_year,
        movie_id,
        profit,
        CASE WHEN budget <> 0 AND revenue <> 0 THEN profit END AS known_profit
    FROM movies_aggregated
    WHERE genre IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY genre, release_year
