-- The genre with the highest mean popularity of a year's movies; ties go to the genre with more movies, then by name.
CREATE VIEW most_popular_genre_by_year AS
SELECT release_year, genre, mean_popularity, movies
FROM (
    SELECT
        release_year,
        genre,
        mean_popularity,
        movies,
        ROW_NUMBER() OVER (PARTITION BY release_year ORDER BY mean_popularity DESC, movies DESC, genre) AS place
    FROM (
        SELECT release_year, genre, ROUND(AVG(popularity), 9) AS mean_popularity, COUNT(*) AS movies
        FROM (
            SELECT DISTINCT release_year, genre, movie_id, popularity
            FROM movies_aggregated
            WHERE genre IS NOT NULL AND release_year IS NOT NULL
        ) AS movie
        GROUP BY release_year, genre
    ) AS genre_year
) AS ranked
WHERE place = 1
