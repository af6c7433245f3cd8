"""The platform's own code as a cluster gets it: two objects below `scripts/` in the lake, named by their content."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import movie_platform
from movie_platform.lake import ObjectStore

PREFIX = "scripts/"
SCRIPT = """\
import sys

from movie_platform.engine.spark_job import main

main(sys.argv[1:])
"""
_LEFT_OUT = {"__pycache__", ".DS_Store"}
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Shipped:
    """Addresses of the script that spark-submit starts and of the package that it needs beside it."""

    script: str
    package: str


def ship(lake: ObjectStore) -> Shipped:
    """Put script and package in the lake, unless they are there."""
    package = _package()
    package_key = f"{PREFIX}movie_platform-{_digest(package)}.zip"
    script_key = f"{PREFIX}spark_job-{_digest(SCRIPT.encode())}.py"
    for key, data in ((package_key, package), (script_key, SCRIPT.encode())):
        lake.create(key, data)
    return Shipped(lake.uri_of(script_key), lake.uri_of(package_key))


def _package() -> bytes:
    """The same files give the same bytes."""
    root = Path(movie_platform.__file__).parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file() and not _LEFT_OUT & set(path.parts):
                archive.writestr(zipfile.ZipInfo(str(path.relative_to(root.parent)), _TIME), path.read_bytes())
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
