#!/bin/sh
# A database and a user of its own for Dagster and for Metabase; PostgreSQL's image runs this once, on an empty volume.
set -eu
for name in dagster metabase; do
    psql --username "${POSTGRES_USER:-postgres}" --set ON_ERROR_STOP=1 --set name="$name" --set password="$POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
SQL
done
