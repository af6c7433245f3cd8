"""Which rules are in use: one of the three that come with the pipeline, or a file of the user's own."""

from importlib.resources import files
from pathlib import Path

from movie_platform.quality.ruleset_files import RulesetFile, read_ruleset_file
from movie_platform.setting_values import PROJECT_ROOT
from movie_platform.settings import Settings


def ruleset_in_use(settings: Settings) -> RulesetFile:
    """The ruleset that the settings name; a relative path starts at the project."""
    name = settings.quality_ruleset
    if name.endswith(".dqdl"):
        return read_ruleset_file(PROJECT_ROOT / Path(name))
    return read_ruleset_file(files(__package__).joinpath("rulesets", f"{name}.dqdl"))
