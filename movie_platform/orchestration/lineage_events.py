"""What a run made, as OpenLineage says it: a job for each asset, its inputs, its columns and where these come from."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from movie_platform.errors import SettingsError, WorldUnavailable
from movie_platform.settings import Settings

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import OutputDataset, Run, RunEvent

PRODUCER = "urn:movie-platform"
ENGINE = "dagster"
"""DataHub refuses an event whose engine it does not know, and goes by this name before it goes by the producer."""
SECONDS = 5.0
REASON_CHARACTERS = 2_000


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    description: str = ""
    comes_from: tuple[tuple[str, str], ...] = ()
    """Assets and their columns that it is made of, where that is known."""


@dataclass(frozen=True)
class Made:
    """What a run did to one asset; `error` says why it did not make it."""

    run_id: str
    job: str
    asset: str
    began: datetime
    ended: datetime
    inputs: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: int | None = None
    bytes: int | None = None
    uri: str = ""
    covers: tuple[datetime, datetime] | None = None
    """The time that the windows or days are of."""
    error: str = ""


def events(made: Made, namespace: str) -> "Iterator[RunEvent]":
    """That the asset's making began, and how it ended. The same run gives the same events, under the same ids."""
    from openlineage.client.event_v2 import InputDataset, Job, RunEvent, RunState
    from openlineage.client.facet_v2 import job_type_job

    job_type = job_type_job.JobTypeJobFacet("BATCH", ENGINE.upper(), "ASSET")
    for state, at in ((RunState.START, made.began), (RunState.FAIL if made.error else RunState.COMPLETE, made.ended)):
        is_made = state is RunState.COMPLETE
        yield RunEvent(
            eventType=state,
            eventTime=at.isoformat(),
            producer=PRODUCER,
            run=_run(made, namespace, has_failed=state is RunState.FAIL),
            job=Job(namespace, made.asset, {"jobType": job_type}),
            inputs=[InputDataset(namespace, name) for name in made.inputs],
            outputs=[_output(made, namespace, is_made=is_made)],
        )


def _run(made: Made, namespace: str, *, has_failed: bool) -> "Run":
    """An asset's run is one of its own, below the run that Dagster shows: a run of OpenLineage has one job."""
    from openlineage.client.event_v2 import Run
    from openlineage.client.facet_v2 import (
        RunFacet,
        error_message_run,
        nominal_time_run,
        parent_run,
        processing_engine_run,
    )

    above = parent_run.ParentRunFacet(parent_run.Run(made.run_id), parent_run.Job(namespace, made.job))
    engine = processing_engine_run.ProcessingEngineRunFacet(version(ENGINE), ENGINE)
    facets: dict[str, RunFacet] = {"parent": above, "processing_engine": engine}
    if made.covers:
        start, end = made.covers
        facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(start.isoformat(), end.isoformat())
    if has_failed:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(made.error[:REASON_CHARACTERS], "python")
    return Run(str(uuid5(NAMESPACE_URL, f"{made.run_id}/{made.asset}")), facets)


def _output(made: Made, namespace: str, *, is_made: bool) -> "OutputDataset":
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import (
        DatasetFacet,
        OutputDatasetFacet,
        column_lineage_dataset,
        datasource_dataset,
        output_statistics_output_dataset,
        schema_dataset,
    )

    facets: dict[str, DatasetFacet] = {}
    if made.columns:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            [schema_dataset.SchemaDatasetFacetFields(of.name, of.type, of.description or None) for of in made.columns]
        )
    fields = {
        of.name: column_lineage_dataset.Fields(
            [column_lineage_dataset.InputField(namespace, asset, column) for asset, column in of.comes_from]
        )
        for of in made.columns
        if of.comes_from
    }
    if fields:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields)
    if made.uri:
        facets["dataSource"] = datasource_dataset.DatasourceDatasetFacet(made.uri, made.uri)
    statistics: dict[str, OutputDatasetFacet] = {}
    if is_made and made.rows is not None:
        statistics["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            made.rows, made.bytes
        )
    return OutputDataset(namespace, made.asset, statistics, facets=facets)


def must_be_installed() -> None:
    if find_spec("openlineage") is None:
        raise SettingsError("MOVIE_PLATFORM_LINEAGE needs OpenLineage's client: install movie-platform[lineage]")


class Emitter:
    """Where the events go, by the setting LINEAGE."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.lineage
        self._namespace = settings.lineage_namespace
        self._client = _client(settings)

    def emit(self, made: Made) -> None:
        """Send both events; `WorldUnavailable` where they were not taken. Sent again, they are the same."""
        for event in events(made, self._namespace):
            try:
                self._client.emit(event)
            except Exception as error:
                raise WorldUnavailable(f"{self._address} did not take the lineage of {made.asset}: {error}") from error


def _client(settings: Settings) -> "OpenLineageClient":
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.file import FileConfig, FileTransport
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    assert settings.lineage is not None
    parts = urlsplit(settings.lineage)
    if parts.scheme == "file":
        return OpenLineageClient(transport=FileTransport(FileConfig(parts.path, append=True)))
    config = HttpConfig(f"{settings.lineage}/", timeout=SECONDS, retry={"total": 0})
    if settings.lineage_key:
        config.auth = ApiKeyTokenProvider({"apiKey": settings.lineage_key.get_secret_value()})
    return OpenLineageClient(transport=HttpTransport(config))
