-- Each company's revenue per year: a movie counts once, however many genres it has.
CREATE VIEW company_revenue_by_year AS
SELECT
    production_company,
    release_year,
    CAST(SUM(revenue) AS BIGINT) AS total_revenue,
    COUNT(*) AS movies
FROM (
    SELECT DISTINCT production_company, release_year, movie_id, revenue
    FROM movies_aggregated
    WHERE production_company IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY production_company, release_year
