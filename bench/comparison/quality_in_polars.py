"""What somebody writes in Polars who needs exactly these rules: outcomes, good rows, and bad rows with their reasons.

    python quality_in_polars.py movies.parquet rules.json OUT

It is the anchor of `quality check` in the table of speed and imports nothing of the platform. `rules.json` holds a list
of rules in the order of the ruleset: claim, type, columns, operator, operands as texts and, for a rule with a
threshold, its lower bound. Nulls pass as in the legacy profile.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl


def mask(rule: dict[str, Any], frame: pl.DataFrame) -> pl.Expr | None:
    """Which rows pass a rule; None for a rule that is not about rows."""
    if not rule["columns"]:
        return None
    value, wanted = pl.col(rule["columns"][0]), rule["operands"]
    match rule["type"], rule["operator"]:
        case (("IsComplete" | "Completeness"), _):
            return value.is_not_null()
        case (("IsUnique" | "Uniqueness"), _):
            return value.is_unique()
        case "ColumnLength", operator:
            return compared(value.str.len_chars().fill_null(0), operator, [int(operand) for operand in wanted])
        case "ColumnValues", "in":
            numeric = frame.schema[rule["columns"][0]].is_numeric()
            return value.is_in([int(operand) for operand in wanted] if numeric else wanted).fill_null(True)
        case "ColumnValues", "matches":
            return (value.str.contains(f"^(?:{wanted[0]})$") & (value != "")).fill_null(True)
        case "ColumnValues", operator:
            return compared(value, operator, [float(operand) for operand in wanted]).fill_null(True)
    return None


def compared(value: pl.Expr, operator: str, number: Sequence[float]) -> pl.Expr:
    match operator:
        case "between":
            return (value > number[0]) & (value < number[1])
        case ">":
            return value > number[0]
        case "<=":
            return value <= number[0]
    raise ValueError(operator)


def statistic(rule: dict[str, Any]) -> pl.Expr:
    match rule["type"]:
        case "Mean":
            return pl.col(rule["columns"][0]).mean()
        case "StandardDeviation":
            return pl.col(rule["columns"][0]).std(ddof=0)
        case "RowCount":
            return pl.len().cast(pl.Float64)
    raise ValueError(rule["type"])


def passes(rule: dict[str, Any], value: float) -> bool:
    """Whether the share of passing rows, or the statistic, is what the rule asks for."""
    if rule["threshold"] is not None:
        return value >= rule["threshold"]
    match rule["type"], rule["operands"]:
        case "Completeness", [least]:
            return value >= float(least)
        case (("Uniqueness" | "Mean" | "RowCount"), [low]):
            return value > float(low)
        case "StandardDeviation", [low, high]:
            return float(low) < value < float(high)
    return value == 1.0


def main(path: str, rules_file: str, out: str) -> None:
    rules = json.loads(Path(rules_file).read_text())
    frame = pl.read_parquet(path)
    masks = {str(place): found for place, rule in enumerate(rules) if (found := mask(rule, frame)) is not None}
    marks = frame.select(**masks)
    values = {
        **marks.select(pl.all().mean()).row(0, named=True),
        **frame.select(**{str(p): statistic(r) for p, r in enumerate(rules) if str(p) not in masks}).row(0, named=True),
    }
    outcomes = [passes(rule, values[str(place)]) for place, rule in enumerate(rules)]
    failed = [str(place) for place, passed in enumerate(outcomes) if not passed and str(place) in masks]
    good = marks.select(pl.all_horizontal(failed) if failed else pl.repeat(True, frame.height)).to_series()
    names = {str(place): rule["claim"] for place, rule in enumerate(rules)}
    reasons = marks.filter(~good).select(
        DataQualityRulesPass=pl.concat_list(pl.when(pl.col(p)).then(pl.lit(names[p])) for p in masks).list.drop_nulls(),
        DataQualityRulesFail=pl.concat_list(
            pl.when(~pl.col(p)).then(pl.lit(names[p])) for p in masks
        ).list.drop_nulls(),
        DataQualityRulesSkip=pl.lit([names[p] for p in names if p not in masks]),
        DataQualityEvaluationResult=pl.lit("Failed"),
    )
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    frame.filter(good).write_parquet(folder / "good.parquet", compression="snappy")
    pl.concat([frame.filter(~good), reasons], how="horizontal").write_parquet(
        folder / "bad.parquet", compression="snappy"
    )
    outcome_list = [
        {"Rule": rule["claim"], "Outcome": "Passed" if passed else "Failed", "Value": values[str(place)]}
        for place, (rule, passed) in enumerate(zip(rules, outcomes, strict=True))
    ]
    (folder / "rule_outcomes.json").write_text(json.dumps(outcome_list, indent=2))
    print(
        f"{sum(outcomes)} of {len(rules)} rules passed; {frame.height - int(good.sum()):,} of {frame.height:,} rows bad"
    )


if __name__ == "__main__":
    main(*sys.argv[1:4])
