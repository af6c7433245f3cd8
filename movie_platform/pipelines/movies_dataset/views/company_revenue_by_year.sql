-- Each company's revenue per year, of the movies whose revenue is known: the source writes 0 for one that is not.
-- A movie counts once, however many genres it has.
CREATE VIEW company_revenue_by_year AS
SELECT
    production_company,
    release_year,
    CAST(SUM(known_revenue) AS BIGINT) AS total_revenue,
    COUNT(*) AS movies,
    COUNT(known_revenue) AS movies_known,
    COUNT(*) - COUNT(known_revenue) AS movies_unknown
FROM (
    SELECT DISTINCT production_company, release_year, movie_id, NULLIF(revenue, 0) AS known_revenue
    FROM movies_aggregated
    WHERE production_company IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY production_company, release_year
