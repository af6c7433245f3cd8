"""From a rule to its plan: which measures it needs, and what to ask of them once all rows were read."""

from collections.abc import Callable, Mapping

from movie_platform.quality.errors import NOT_COMPUTABLE, RuleNotComputable, not_computable
from movie_platform.quality.judging.anomaly_rules import plan_detect_anomalies
from movie_platform.quality.judging.comparison_rules import plan_comparison
from movie_platform.quality.judging.composites import plan_composite
from movie_platform.quality.judging.context import DeferredOutcome, EvaluationContext, Judgement, settled
from movie_platform.quality.judging.file_rules import plan_file_rule
from movie_platform.quality.judging.key_rules import plan_keys
from movie_platform.quality.judging.metrics import plan_statistic
from movie_platform.quality.judging.pandera_rules import plan_pandera
from movie_platform.quality.judging.query_rules import plan_custom_sql
from movie_platform.quality.judging.row_rules import (
    plan_column_data_type,
    plan_column_length,
    plan_column_values,
    plan_completeness,
    plan_data_freshness,
)
from movie_platform.quality.judging.schema_rules import plan_column_exists, plan_names_match
from movie_platform.quality.rule_types import RULE_TYPES
from movie_platform.quality.ruleset import CompositeRule, PanderaRule, Rule, SimpleRule


def plan_rule(rule: Rule, context: EvaluationContext) -> DeferredOutcome:
    """Registers the measures that a rule needs and returns what to ask once the data went by.

    A rule that cannot be computed is concluded as Error, with the reason; so is a composite rule with such a member.
    """
    try:
        conclude = _planned(rule, context)
    except NOT_COMPUTABLE as failure:
        return settled(_error(rule, failure))

    def guarded() -> Judgement:
        try:
            return conclude()
        except NOT_COMPUTABLE as failure:
            return _error(rule, failure)

    return guarded


def _error(rule: Rule, failure: Exception) -> Judgement:
    return Judgement("Error", str(not_computable(failure)), evaluated=rule.claim)


def _planned(rule: Rule, context: EvaluationContext) -> DeferredOutcome:
    if isinstance(rule, CompositeRule):
        return plan_composite(rule, [plan_rule(member, context) for member in rule.members], context)
    if isinstance(rule, PanderaRule):
        return plan_pandera(rule, context)
    assert isinstance(rule, SimpleRule)
    known = RULE_TYPES.get(rule.type)
    if known is None:
        raise RuleNotComputable(f"{rule.type} is not a known rule type")
    return _PLANNERS[rule.type](rule, context)


_PLANNERS: Mapping[str, Callable[[SimpleRule, EvaluationContext], DeferredOutcome]] = {
    "RowCount": plan_statistic,
    "ColumnCount": plan_statistic,
    "IsComplete": plan_completeness,
    "Completeness": plan_completeness,
    "IsUnique": plan_keys,
    "Uniqueness": plan_keys,
    "IsPrimaryKey": plan_keys,
    "UniqueValueRatio": plan_statistic,
    "DistinctValuesCount": plan_statistic,
    "ColumnValues": plan_column_values,
    "ColumnLength": plan_column_length,
    "ColumnDataType": plan_column_data_type,
    "ColumnExists": plan_column_exists,
    "ColumnNamesMatchPattern": plan_names_match,
    "Mean": plan_statistic,
    "Sum": plan_statistic,
    "StandardDeviation": plan_statistic,
    "Variance": plan_statistic,
    "Entropy": plan_statistic,
    "ColumnCorrelation": plan_statistic,
    "CustomSql": plan_custom_sql,
    "DataFreshness": plan_data_freshness,
    "ReferentialIntegrity": plan_comparison,
    "RowCountMatch": plan_comparison,
    "AggregateMatch": plan_comparison,
    "DatasetMatch": plan_comparison,
    "SchemaMatch": plan_comparison,
    "DetectAnomalies": plan_detect_anomalies,
    "FileFreshness": plan_file_rule,
    "FileMatch": plan_file_rule,
    "FileSize": plan_file_rule,
    "FileUniqueness": plan_file_rule,
}
