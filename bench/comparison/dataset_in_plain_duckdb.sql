-- What one writes by hand for the same eight files: no record numbers, no checks, no accounting, natively cast literals.
CREATE TEMP TABLE movies AS
SELECT DISTINCT ON (id)
    try_cast(id AS BIGINT) AS id,
    try_cast(adult AS BOOLEAN) AS adult,
    try_cast(belongs_to_collection AS STRUCT(id BIGINT, "name" VARCHAR, poster_path VARCHAR, backdrop_path VARCHAR))
        AS belongs_to_collection,
    coalesce(try_cast(budget AS BIGINT), 0) AS budget,
    try_cast(genres AS STRUCT(id BIGINT, "name" VARCHAR)[]) AS genres,
    homepage,
    imdb_id,
    original_language,
    original_title,
    overview,
    coalesce(try_cast(popularity AS DOUBLE), 0) AS popularity,
    poster_path,
    try_cast(production_companies AS STRUCT("name" VARCHAR, id BIGINT)[]) AS production_companies,
    try_cast(production_countries AS STRUCT(iso_3166_1 VARCHAR, "name" VARCHAR)[]) AS production_countries,
    try_cast(release_date AS DATE) AS release_date,
    coalesce(try_cast(revenue AS BIGINT), 0) AS revenue,
    try_cast(runtime AS DOUBLE) AS runtime,
    try_cast(spoken_languages AS STRUCT(iso_639_1 VARCHAR, "name" VARCHAR)[]) AS spoken_languages,
    status,
    tagline,
    title,
    try_cast(video AS BOOLEAN) AS video,
    try_cast(vote_average AS DOUBLE) AS vote_average,
    coalesce(try_cast(vote_count AS BIGINT), 0) AS vote_count
FROM read_csv(getvariable('folder') || '/movies_metadata.csv',
    header = true, all_varchar = true, quote = '"', escape = '"', strict_mode = false, null_padding = true,
    parallel = false, max_line_size = 20000000)
WHERE try_cast(id AS BIGINT) IS NOT NULL;

COPY movies TO 'movies_master.parquet';

COPY (
    WITH genres AS (SELECT id, unnest(genres)."name" AS genre FROM movies),
    companies AS (SELECT id, unnest(production_companies)."name" AS production_company FROM movies)
    SELECT m.id AS movie_id, m.popularity, m.revenue, m.budget, m.release_date, g.genre, c.production_company,
        year(m.release_date) AS release_year, m.revenue - m.budget AS profit
    FROM movies AS m LEFT JOIN genres AS g USING (id) LEFT JOIN companies AS c USING (id)
) TO 'movies_aggregated.parquet';

COPY (
    SELECT movie_id, keyword.id AS keyword_id, keyword."name" AS keyword
    FROM (
        SELECT id AS movie_id, unnest(try_cast(keywords AS STRUCT(id BIGINT, "name" VARCHAR)[])) AS keyword
        FROM read_csv(getvariable('folder') || '/keywords.csv',
            header = true, columns = {'id': 'BIGINT', 'keywords': 'VARCHAR'}, quote = '"', escape = '"',
            max_line_size = 20000000)
    )
) TO 'keywords_master.parquet';

CREATE TEMP TABLE credits AS
SELECT
    id AS movie_id,
    try_cast("cast" AS STRUCT(cast_id BIGINT, "character" VARCHAR, credit_id VARCHAR, gender BIGINT, id BIGINT,
        "name" VARCHAR, "order" BIGINT, profile_path VARCHAR)[]) AS "cast",
    try_cast(crew AS STRUCT(credit_id VARCHAR, department VARCHAR, gender BIGINT, id BIGINT, job VARCHAR,
        "name" VARCHAR, profile_path VARCHAR)[]) AS crew
FROM read_csv(getvariable('folder') || '/credits.csv',
    header = true, columns = {'cast': 'VARCHAR', 'crew': 'VARCHAR', 'id': 'BIGINT'}, quote = '"', escape = '"',
    max_line_size = 20000000);

COPY credits TO 'credits_master.parquet';
COPY (SELECT movie_id, member.* FROM (SELECT movie_id, unnest("cast") AS member FROM credits)) TO 'cast_master.parquet';
COPY (SELECT movie_id, member.* FROM (SELECT movie_id, unnest(crew) AS member FROM credits)) TO 'crew_master.parquet';

COPY (
    SELECT "movieId" AS movie_id, "userId" AS user_id, rating, "timestamp"
    FROM read_csv(getvariable('folder') || '/ratings.csv',
        header = true, columns = {'userId': 'BIGINT', 'movieId': 'BIGINT', 'rating': 'DOUBLE', 'timestamp': 'BIGINT'})
) TO 'ratings_master.parquet';

COPY (
    SELECT "movieId" AS movie_id, "imdbId" AS imdb_id, "tmdbId" AS tmdb_id
    FROM read_csv(getvariable('folder') || '/links.csv',
        header = true, columns = {'movieId': 'BIGINT', 'imdbId': 'BIGINT', 'tmdbId': 'BIGINT'})
) TO 'links_master.parquet';
