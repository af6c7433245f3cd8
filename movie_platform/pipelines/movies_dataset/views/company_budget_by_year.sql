-- Each company's budget per year, of the movies whose budget is known: the source writes 0 for one that is not.
-- A movie counts once, however many genres it has.
CREATE VIEW company_budget_by_year AS
SELECT
    production_company,
    release_year,
    CAST(SUM(known_budget) AS BIGINT) AS total_budget,
    COUNT(*) AS movies,
    COUNT(known_budget) AS movies_known,
    COUNT(*) - COUNT(known_budget) AS movies_unknown
FROM (
    SELECT DISTINCT production_company, release_year, movie_id, NULLIF(budget, 0) AS known_budget
    FROM movies_aggregated
    WHERE production_company IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY production_company, release_year
