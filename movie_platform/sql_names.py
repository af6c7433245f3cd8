"""Names of columns and tables as they stand in SQL."""


def quoted(name: str) -> str:
    """An identifier in double quotes, as every SQL dialect here takes it."""
    return '"' + name.replace('"', '""') + '"'
