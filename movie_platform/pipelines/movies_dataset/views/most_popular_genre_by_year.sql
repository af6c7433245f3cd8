-- The genre whose movies of a year have the highest popularity in total, so that one film does not win for a genre of
-- its own; ties go to the genre with more movies, then by name. A movie counts once in each of its genres.
CREATE VIEW most_popular_genre_by_year AS
SELECT release_year, genre, total_popularity, mean_popularity, median_popularity, movies
FROM (
    SELECT
        release_year,
        genre,
        total_popularity,
        mean_popularity,
        median_popularity,
        movies,
        ROW_NUMBER() OVER (PARTITION BY release_year ORDER BY total_popularity DESC, movies DESC, genre) AS place
    FROM (
        SELECT
            release_year,
            genre,
            ROUND(SUM(popularity), 9) AS total_popularity,
            ROUND(AVG(popularity), 9) AS mean_popularity,
            ROUND(PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY popularity), 9) AS median_popularity,
            COUNT(*) AS movies
        FROM (
            SELECT DISTINCT release_year, genre, movie_id, popularity
            FROM movies_aggregated
            WHERE genre IS NOT NULL AND release_year IS NOT NULL
        ) AS movie
        GROUP BY release_year, genre
    ) AS genre_year
) AS ranked
WHERE place = 1
