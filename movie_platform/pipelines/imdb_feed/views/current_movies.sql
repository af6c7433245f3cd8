-- Each movie once, as it was last delivered, with its directors side by side.
CREATE VIEW main.current_movies AS
SELECT
    movie_id,
    MAX(imdb_movie_id) AS imdb_movie_id,
    MAX(title) AS title,
    MAX(release_year) AS release_year,
    MAX(certificate) AS certificate,
    MAX(run_time_min) AS run_time_min,
    MAX(imdb_rating) AS imdb_rating,
    MAX(metascore) AS metascore,
    MAX(num_voted_users) AS num_voted_users,
    MAX(gross) AS gross,
    STRING_AGG(director_name, ', ' ORDER BY director_name) AS directors,
    MAX("window") AS "window"
FROM main.imdb_movies
GROUP BY movie_id
