"""Feed one reader for some seconds with inputs that reach further into it, found by the coverage of earlier ones:

    python -m movie_platform_tests.fuzzing.guided literal 3600

It ends with status 0 when nothing was found, and with the input that broke the claim otherwise. It needs atheris.
"""

import sys
import tempfile
from pathlib import Path


def main(name: str, seconds: int) -> None:
    import atheris

    # Code of the readers is watched; libraries are not, which keeps an hour for what is ours.
    with atheris.instrument_imports(include=["movie_platform.", "ast", "csv", "zipfile", "urllib.parse"]):
        from movie_platform_tests.fuzzing.targets import TARGETS

    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        limits = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=60", "-rss_limit_mb=4096"]
        options = [*limits, f"-artifact_prefix={corpus}/", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, corpus], target.check)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
