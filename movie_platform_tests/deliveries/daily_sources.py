"""The daily sources, and what it takes to deliver to each and to have done with it."""

from movie_platform.deliveries import Delivery, ManifestFile, Receipt, manifests, receipts
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.movies_dataset.publication import ZIP_NAME

DAILY = [source for pipeline in PIPELINES if (source := source_of(pipeline)).partition == "day"]


def file_name(source: Source) -> str:
    """A name that the source takes."""
    return ZIP_NAME if source.command == "dataset" else "movies.csv"


def put(source: Source, raw: ObjectStore, day: str, content: str = "A") -> str:
    key = f"{source.prefix}{day}/{file_name(source)}"
    raw.write(key, content.encode())
    return key


def process(source: Source, lake: ObjectStore, delivery: Delivery) -> None:
    """Leave the manifest and the receipt that a run leaves which archived and processed the delivery."""
    archive, day = source.archive or source.name, delivery.partition
    before = manifests.latest(lake, archive, day)
    files = {key: ManifestFile(info.etag, info.etag, info.size) for key, info in delivery.files.items()}
    manifest = (
        before if before and before.files == files else manifests.publish(lake, archive, day, files, after=before)
    )
    made = receipts.made_in(lake, source.made).get(day, receipts.made_of({}))
    receipts.put(lake, source.name, Receipt(day, manifest.sequence, delivery.fingerprint, made))
