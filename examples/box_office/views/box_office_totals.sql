CREATE VIEW main.box_office_totals AS
SELECT imdb_id, SUM(gross) AS total_gross, COUNT(*) AS days, MAX(theaters) AS most_theaters
FROM main.box_office GROUP BY imdb_id
