-- Each company's profit per year: a movie counts once, however many genres it has.
CREATE VIEW company_profit_by_year AS
SELECT
    production_company,
    release_year,
    CAST(SUM(profit) AS BIGINT) AS total_profit,
    COUNT(*) AS movies
FROM (
    SELECT DISTINCT production_company, release_year, movie_id, profit
    FROM movies_aggregated
    WHERE production_company IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY production_company, release_year
