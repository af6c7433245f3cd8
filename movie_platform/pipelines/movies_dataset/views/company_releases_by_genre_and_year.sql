-- How many movies of each genre each company brought out per year.
CREATE VIEW company_releases_by_genre_and_year AS
SELECT
    production_company,
    genre,
    release_year,
    COUNT(DISTINCT movie_id) AS releases
FROM movies_aggregated
WHERE production_company IS NOT NULL AND genre IS NOT NULL AND release_year IS NOT NULL
GROUP BY production_company, genre, release_year
