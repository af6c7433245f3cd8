"""Rulesets where they are kept: as `.dqdl` files that their owners edit."""

from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from movie_platform.errors import PlatformError
from movie_platform.quality.errors import RulesetError

if TYPE_CHECKING:
    from movie_platform.quality.ruleset import Ruleset


@dataclass(frozen=True)
class RulesetFile:
    """A file's ruleset, or why there is none: who builds on files must go on where one of them is broken."""

    name: str
    ruleset: "Ruleset | None"
    problem: str = ""

    @property
    def rules(self) -> "Ruleset":
        """The ruleset; raises PlatformError, with the file's name and the place in it, where the file has none."""
        if self.ruleset is None:
            raise PlatformError(f"no data can be judged by {self.name}: {self.problem}")
        return self.ruleset


def read_ruleset_file(path: Path | Traversable) -> RulesetFile:
    """The ruleset of a file; never raises for what is in it or that it is not there."""
    from movie_platform.quality.parsing import parse_ruleset

    try:
        return RulesetFile(path.name, parse_ruleset(path.read_text("utf-8")))
    except RulesetError as broken:
        return RulesetFile(path.name, None, str(broken))
    except (OSError, UnicodeDecodeError) as unreadable:
        return RulesetFile(path.name, None, f"the file cannot be read: {unreadable}")
