-- User behavior through Redshift Spectrum, with the names and columns that its queries use. Run it once, as an owner of
-- the database. `movies` is MOVIE_PLATFORM_CATALOG_DATABASE. insert_date is text, so that a query for a day reads that
-- day's files and no others.
CREATE EXTERNAL SCHEMA IF NOT EXISTS lake FROM DATA CATALOG DATABASE 'movies' IAM_ROLE default;

CREATE SCHEMA IF NOT EXISTS spectrum;

CREATE OR REPLACE VIEW spectrum.user_purchase_staging AS
SELECT
    invoice_number AS InvoiceNo,
    stock_code AS StockCode,
    detail,
    quantity AS Quantity,
    invoice_date AS InvoiceDate,
    unit_price AS UnitPrice,
    customer_id AS customerid,
    country AS Country,
    insert_date
FROM lake.user_purchase_staging
WITH NO SCHEMA BINDING;

CREATE OR REPLACE VIEW spectrum.classified_movie_review AS
SELECT cid, positive_review, insert_date
FROM lake.classified_movie_review
WITH NO SCHEMA BINDING;
