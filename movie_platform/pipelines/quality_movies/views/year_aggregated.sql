-- How many of the newest day's movies every year and every combination of genres has, as delivered.
CREATE MATERIALIZED VIEW movies.year_aggregated AS
SELECT released_year AS "year", genre, COUNT(*) AS total_movies
FROM movies.imdb_movies_rating
GROUP BY released_year, genre
