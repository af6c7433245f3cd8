"""External tables over the eight tables and the nine answers in the lake, for Athena and Redshift Spectrum.

A table's folder also holds other tables' files, so each goes by a list of its own files, in a folder of its version
below `manifests/`. All lists are written before the first table moves to its new one, by one change of its location.
"""

import re

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset.answers import QUESTIONS
from movie_platform.pipelines.movies_dataset.publication import Publication
from movie_platform.pipelines.movies_dataset.tables import TABLES
from movie_platform.warehouse.catalog import LISTED_PARQUET, Catalog


def register(catalog: Catalog, lake: ObjectStore, published: Publication) -> None:
    """Make the tables and answers that a delivery made known under their names; repeated, it changes nothing."""
    made = {**published.tables, **published.answers}
    tables = [table for table in (*TABLES, *(of.table for of in QUESTIONS)) if table.name in made]
    version = re.sub(r"[^0-9a-z]+", "-", published.version)
    folders = {table.name: f"manifests/{table.name}/{version}/" for table in tables}
    for table in tables:
        listed = "".join(f"{lake.uri_of(part.key)}\n" for part in made[table.name])
        lake.write(f"{folders[table.name]}files.txt", listed.encode())
    for table in tables:
        catalog.register_files(table, lake.uri_of(folders[table.name]), LISTED_PARQUET)
