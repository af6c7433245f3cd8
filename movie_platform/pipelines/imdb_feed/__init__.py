"""The IMDB feed: a CSV triplet every ten minutes -> archive -> clean Parquet -> warehouse."""
