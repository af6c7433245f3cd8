"""Objects on local disk and on S3 behind one interface.

A reader never sees half an object, a killed writer leaves nothing that a reader could take for an object, and a listing
can start behind a key without walking what comes before it. Raw side and lake are two stores.
"""

from movie_platform.lake.address import open_store
from movie_platform.lake.local import LocalStore
from movie_platform.lake.s3 import S3Store
from movie_platform.lake.store import LeftOut, ObjectInfo, ObjectStore, Writer, ignored

__all__ = ["LeftOut", "LocalStore", "ObjectInfo", "ObjectStore", "S3Store", "Writer", "ignored", "open_store"]
