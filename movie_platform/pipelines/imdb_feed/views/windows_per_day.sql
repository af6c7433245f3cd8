-- How much of each day was delivered and loaded; a whole day has 144 windows.
CREATE VIEW main.windows_per_day AS
SELECT
    SUBSTRING("window", 1, 8) AS day,
    COUNT(DISTINCT "window") AS windows,
    COUNT(DISTINCT movie_id) AS movies,
    COUNT(*) AS movie_director_rows
FROM main.imdb_movie_windows
GROUP BY SUBSTRING("window", 1, 8)
