"""Data quality: rules in DQDL, judged on frames, Arrow tables and files, row by row and as a whole.

`parse_ruleset` reads the rules, `evaluate` judges data by them. The package knows nothing of schedulers, lakes or
settings: a history is handed to it.

What it offers is imported when it is asked for: whoever reads a ruleset waits for no library that judges data.
"""

from typing import TYPE_CHECKING

from movie_platform.packages import offer

if TYPE_CHECKING:
    from movie_platform.quality.csv_files import type_columns
    from movie_platform.quality.data import DataSet, SourceFile
    from movie_platform.quality.differences import ChangedRow, Difference, diff
    from movie_platform.quality.errors import DataUnreadable, RuleNotComputable, RulesetError
    from movie_platform.quality.evaluation import evaluate
    from movie_platform.quality.explanation import explain
    from movie_platform.quality.files import FileLister, StoredFile
    from movie_platform.quality.history import InMemoryHistory, MetricHistory, MetricPoint, NoHistory, ParquetHistory
    from movie_platform.quality.opening import open_data, open_files
    from movie_platform.quality.parsing import parse_ruleset
    from movie_platform.quality.presentation import harmless, markdown, shown
    from movie_platform.quality.recommendation import Recommendation, RecommendedRule, SuspiciousValue, recommend
    from movie_platform.quality.results import Evaluation, FailingRow, Outcome
    from movie_platform.quality.row_results import RESULT_COLUMNS
    from movie_platform.quality.ruleset import Analyzer, CompositeRule, PanderaRule, Rule, Ruleset, SimpleRule
    from movie_platform.quality.ruleset_files import RulesetFile, read_ruleset_file

__getattr__ = offer(
    __name__,
    {
        f"{__name__}.csv_files": ("type_columns",),
        f"{__name__}.data": ("DataSet", "SourceFile"),
        f"{__name__}.differences": ("ChangedRow", "Difference", "diff"),
        f"{__name__}.errors": ("DataUnreadable", "RuleNotComputable", "RulesetError"),
        f"{__name__}.evaluation": ("evaluate",),
        f"{__name__}.explanation": ("explain",),
        f"{__name__}.files": ("FileLister", "StoredFile"),
        f"{__name__}.history": ("InMemoryHistory", "MetricHistory", "MetricPoint", "NoHistory", "ParquetHistory"),
        f"{__name__}.opening": ("open_data", "open_files"),
        f"{__name__}.parsing": ("parse_ruleset",),
        f"{__name__}.presentation": ("harmless", "markdown", "shown"),
        f"{__name__}.recommendation": ("Recommendation", "RecommendedRule", "SuspiciousValue", "recommend"),
        f"{__name__}.results": ("Evaluation", "FailingRow", "Outcome"),
        f"{__name__}.row_results": ("RESULT_COLUMNS",),
        f"{__name__}.ruleset": ("Analyzer", "CompositeRule", "PanderaRule", "Rule", "Ruleset", "SimpleRule"),
        f"{__name__}.ruleset_files": ("RulesetFile", "read_ruleset_file"),
    },
)

__all__ = [
    "RESULT_COLUMNS",
    "Analyzer",
    "ChangedRow",
    "CompositeRule",
    "DataSet",
    "DataUnreadable",
    "Difference",
    "Evaluation",
    "FailingRow",
    "FileLister",
    "InMemoryHistory",
    "MetricHistory",
    "MetricPoint",
    "NoHistory",
    "Outcome",
    "PanderaRule",
    "ParquetHistory",
    "Recommendation",
    "RecommendedRule",
    "Rule",
    "RuleNotComputable",
    "Ruleset",
    "RulesetError",
    "RulesetFile",
    "SimpleRule",
    "SourceFile",
    "StoredFile",
    "SuspiciousValue",
    "diff",
    "evaluate",
    "explain",
    "harmless",
    "markdown",
    "open_data",
    "open_files",
    "parse_ruleset",
    "read_ruleset_file",
    "recommend",
    "shown",
    "type_columns",
]
