"""The plain pandas program that `dataset build` is measured against, in the manner of the data set's usual notebooks.

read_csv, eval, explode and `apply(pd.Series)` a column at a time, to_csv. It runs on samples that this
repository makes, and on nothing else: `eval` on somebody's file runs that somebody's code.
"""

import sys
import zipfile
from pathlib import Path

import pandas as pd


def literals(column: pd.Series) -> pd.Series:
    return column.fillna("[]").map(lambda text: eval(text))


def exploded(frame: pd.DataFrame, column: str, keys: dict[str, str]) -> pd.DataFrame:
    rows = frame[["movie_id", column]].explode(column).dropna(subset=[column]).reset_index(drop=True)
    members = rows[column].apply(pd.Series)
    return pd.concat([rows[["movie_id"]], members.rename(columns=keys)], axis=1)


def main(archive: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as members:
        movies = pd.read_csv(members.open("movies_metadata.csv"), low_memory=False)
        keywords = pd.read_csv(members.open("keywords.csv"))
        credit_lists = pd.read_csv(members.open("credits.csv"))
        links = pd.read_csv(members.open("links.csv"))
        ratings = pd.read_csv(members.open("ratings.csv"))

    movies["id"] = pd.to_numeric(movies["id"], errors="coerce")
    movies = movies.dropna(subset=["id", "title"]).drop_duplicates("id")
    movies["id"] = movies["id"].astype(int)
    for column in ("budget", "popularity", "revenue", "vote_count"):
        movies[column] = pd.to_numeric(movies[column], errors="coerce").fillna(0)
    movies["release_date"] = pd.to_datetime(movies["release_date"], errors="coerce")
    for column in ("genres", "production_companies", "production_countries", "spoken_languages"):
        movies[column] = literals(movies[column])
    movies.to_csv(out / "movies_cleaned.csv", index=False)

    columns = ["id", "popularity", "revenue", "budget", "release_date", "genres", "production_companies"]
    aggregated = movies[columns].rename(columns={"id": "movie_id"})
    aggregated = aggregated.explode("genres").explode("production_companies")
    for column, name in (("genres", "genre"), ("production_companies", "production_company")):
        aggregated[name] = aggregated[column].map(lambda item: item["name"] if isinstance(item, dict) else None)
    aggregated["release_year"] = aggregated["release_date"].dt.year
    aggregated["profit"] = aggregated["revenue"] - aggregated["budget"]
    aggregated.drop(columns=["genres", "production_companies"]).to_csv(out / "movies_agg_cleaned.csv", index=False)

    keywords = keywords.rename(columns={"id": "movie_id"}).drop_duplicates()
    keywords["keywords"] = literals(keywords["keywords"])
    names = {"id": "keyword_id", "name": "keyword"}
    exploded(keywords, "keywords", names).to_csv(out / "keywords_cleaned.csv", index=False)

    credit_lists = credit_lists.rename(columns={"id": "movie_id"}).drop_duplicates()
    for column in ("cast", "crew"):
        credit_lists[column] = literals(credit_lists[column])
    credit_lists.to_csv(out / "credits_cleaned.csv", index=False)
    for column in ("cast", "crew"):
        exploded(credit_lists, column, {}).to_csv(out / f"{column}_cleaned.csv", index=False)

    links.to_csv(out / "links_cleaned.csv", index=False)
    ratings.to_csv(out / "ratings_cleaned.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
