"""One concept for every source: what came, whether it is new and whole, what it replaces, and what is still owed.

A **delivery** is what is on the raw side for one window or day now. A **manifest** says what the archive of that window
or day holds; its sequence number grows by one with each other content. A **receipt** says that everything the lake
makes of a delivery is there. The warehouse's ledger says what is loaded. What has no receipt, or no row in the ledger,
is owed.
"""

from movie_platform.deliveries.delivery import Delivery, Listing, fingerprint_of
from movie_platform.deliveries.manifests import Manifest, ManifestFile
from movie_platform.deliveries.overtaken import Overtaken, until_undisturbed
from movie_platform.deliveries.receipts import Receipt

__all__ = [
    "Delivery",
    "Listing",
    "Manifest",
    "ManifestFile",
    "Overtaken",
    "Receipt",
    "fingerprint_of",
    "until_undisturbed",
]
