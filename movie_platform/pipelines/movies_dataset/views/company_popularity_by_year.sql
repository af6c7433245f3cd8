-- The mean popularity of each company's movies per year: a movie counts once, however many genres it has.
CREATE VIEW company_popularity_by_year AS
SELECT
    production_company,
    release_year,
    ROUND(AVG(popularity), 9) AS mean_popularity,
    COUNT(*) AS movies
FROM (
    SELECT DISTINCT production_company, release_year, movie_id, popularity
    FROM movies_aggregated
    WHERE production_company IS NOT NULL AND release_year IS NOT NULL
) AS movie
GROUP BY production_company, release_year
