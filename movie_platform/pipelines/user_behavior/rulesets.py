"""The rules of the metric, as their owners write them."""

from importlib.resources import files

from movie_platform.quality.ruleset_files import RulesetFile, read_ruleset_file


def metric_ruleset() -> RulesetFile:
    return read_ruleset_file(files(__package__).joinpath("rulesets", "user_behavior_metric.dqdl"))
