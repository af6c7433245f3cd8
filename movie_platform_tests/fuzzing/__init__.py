"""Fuzzers; `make soak FUZZ_SECONDS=60` gives each of them a minute instead of an hour."""

import os

FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "3600"))
