"""Checks of a source that delivers for days: they say how the newest day came out that was judged by each.

Every day's results are kept in the lake, so a run of an older day says of the newest one what was said before, in
whichever order runs end. What a check says of each day stays in the day's object, and in the metadata of the day's
materializations.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.corrections import of_newest
from movie_platform.orchestration.table_metadata import form

FOLDER = "checks/"
LOOKED_INTO_AT_MOST = 31
"""Days that are searched for the newest one that a check judged; a check that judged none of them says nothing new."""


@dataclass(frozen=True)
class DayChecks:
    """The checks of one step, by the step's name."""

    step: str
    specs: Sequence[dg.AssetCheckSpec]

    @property
    def keys(self) -> list[dg.AssetCheckKey]:
        return [spec.key for spec in self.specs]

    def definition(self) -> dg.AssetChecksDefinition:
        """The checks by themselves, as the lake says now; those that judged nothing yet are not evaluated."""

        @dg.multi_asset_check(name=f"{self.step}_checks", specs=self.specs, can_subset=True)
        def checks(context: dg.AssetCheckExecutionContext, lake: ResourceParam[ObjectStore]) -> Iterator[Any]:
            asked = context.selected_asset_check_keys
            found = (of for of in self.standing(lake) if of.asset_check_key in asked)
            yield from of_newest(context.instance, found)
            for key in sorted(asked):
                yield dg.Output(None, f"{key.asset_key.to_python_identifier()}_{key.name}")

        return checks

    def judged(
        self,
        context: dg.AssetExecutionContext,
        lake: ObjectStore,
        results: Iterable[dg.AssetCheckResult],
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """Keep how the run's day came out, and say how the checks of the run's assets stand then."""
        kept = [_as_json(result) for result in results]
        lake.write(self._key(context.partition_key), json.dumps(kept, ensure_ascii=False, indent=1).encode())
        found = (of for of in self.standing(lake) if of.asset_key in context.selected_asset_keys)
        yield from of_newest(context.instance, found)

    def standing(self, lake: ObjectStore) -> list[dg.AssetCheckEvaluation]:
        """How each check stands: by the newest day that was judged by it."""
        missing = {(spec.asset_key.to_user_string(), spec.name) for spec in self.specs}
        found = []
        for day in reversed(self.days(lake)[-LOOKED_INTO_AT_MOST:]):
            if not missing:
                break
            for result in self._results(lake, day):
                key = (result["asset"], result["check"])
                if key in missing:
                    missing.remove(key)
                    found.append(_evaluation(result, day))
        return found

    def days(self, lake: ObjectStore) -> list[str]:
        """The judged days."""
        folder = self._key("").removesuffix(".json")
        return [info.key.removeprefix(folder).removesuffix(".json") for info in lake.objects(folder)]

    def digest(self, lake: ObjectStore) -> dict[str, str]:
        """The etags of the days that the checks stand by, from a listing alone."""
        folder = self._key("").removesuffix(".json")
        return {info.key: info.etag for info in list(lake.objects(folder))[-LOOKED_INTO_AT_MOST:]}

    def _key(self, day: str) -> str:
        return f"{FOLDER}{self.step}/{day}.json"

    def _results(self, lake: ObjectStore, day: str) -> list[dict[str, Any]]:
        try:
            return list(json.loads(lake.read(self._key(day))))
        except ObjectMissing:
            return []


def _as_json(result: dg.AssetCheckResult) -> dict[str, Any]:
    assert result.asset_key is not None
    return {
        "asset": result.asset_key.to_user_string(),
        "check": result.check_name,
        "passed": result.passed,
        "severity": result.severity.value,
        "description": result.description,
        "metadata": {name: _value(value) for name, value in result.metadata.items()},
    }


def _value(value: dg.MetadataValue[Any]) -> Any:
    if isinstance(value, dg.TableMetadataValue):
        columns = {column.name: column.type for column in value.schema.columns}
        return {"columns": columns, "records": [dict(record.data) for record in value.records]}
    return value.value


def _evaluation(result: Mapping[str, Any], day: str) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey.from_user_string(result["asset"]),
        check_name=result["check"],
        passed=result["passed"],
        severity=dg.AssetCheckSeverity(result["severity"]),
        description=result["description"],
        metadata={"day": day, **{name: _shown(value) for name, value in result["metadata"].items()}},
    )


def _shown(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"columns", "records"}:
        columns = [dg.TableColumn(name, kind) for name, kind in value["columns"].items()]
        return dg.MetadataValue.table([dg.TableRecord(of) for of in value["records"]], dg.TableSchema(columns))
    return value


def broken_rules(results: Iterable[dg.AssetCheckResult]) -> dict[str, Any]:
    """How a day came out, for the metadata of its materialization: how many checks hold, and which do not and why."""
    given = list(results)
    failed = {str(of.check_name): of.description or "" for of in given if not of.passed}
    return {"checks": len(given), "checks that failed": len(failed), **form(failed=failed)}
