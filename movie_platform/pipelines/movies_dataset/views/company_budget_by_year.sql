-- Each company's budget per year: a movie counts once, however many genres it has.
CREATE VIEW company_budget_by_year AS
SELECT
    production_company,
    release_year,
    CAST(SUM(budget) AS BIGINT) AS total_budget,
    COUNT(*) AS movies
FROM (
    SELECT DISTINCT production_company, release_year, movie_id, budget
    FROM movies_aggregated
    WHERE production_company IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY production_company, release_year
