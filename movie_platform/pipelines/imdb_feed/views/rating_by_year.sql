-- How the movies of each year of release are rated; movies without a year or a rating are left out.
CREATE VIEW main.rating_by_year AS
SELECT
    release_year,
    COUNT(*) AS movies,
    AVG(imdb_rating) AS mean_rating,
    MIN(imdb_rating) AS lowest_rating,
    MAX(imdb_rating) AS highest_rating,
    SUM(num_voted_users) AS votes
FROM main.current_movies
WHERE release_year IS NOT NULL AND imdb_rating IS NOT NULL
GROUP BY release_year
