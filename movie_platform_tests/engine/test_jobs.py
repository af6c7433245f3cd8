"""A job's errors travel without losing who has to act on them."""

import json

import pytest

from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.engine.jobs import JobFailed, error_from_message, failure, run_job
from movie_platform.engine.shipping import ship
from movie_platform.errors import InputRefused, LoadRefused, ObjectMissing, SettingsError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.progress import LogProgress


@pytest.mark.parametrize(
    "error",
    [
        InputRefused("movie_review.csv has no column 'cid'", rule="header"),
        WorldUnavailable("the store did not answer"),
        SettingsError("wrong"),
        LoadRefused("too few rows"),
        ObjectMissing("s3://lake/key"),
    ],
)
def test_an_error_arrives_as_what_it_was(error: Exception) -> None:
    arrived = error_from_message(json.loads(json.dumps(failure(error))))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_a_fault_of_ours_names_its_kind() -> None:
    arrived = error_from_message(failure(ZeroDivisionError("division by zero")))
    assert isinstance(arrived, JobFailed)
    assert str(arrived) == "ZeroDivisionError: division by zero"


def doubled(engine: object, progress: object, *, number: int) -> dict[str, int]:
    return {"doubled": 2 * number}


def test_a_job_is_called_by_its_name() -> None:
    with DuckDBEngine() as engine:
        assert run_job(f"{__name__}:doubled", {"number": 21}, engine, LogProgress()) == {"doubled": 42}


def test_script_and_package_are_shipped_once_by_content(store: ObjectStore) -> None:
    shipped = ship(store)
    before = {info.key: info.etag for info in store.objects("scripts/")}
    assert ship(store) == shipped
    assert {info.key: info.etag for info in store.objects("scripts/")} == before
    assert {store.uri_of(key) for key in before} == {shipped.script, shipped.package}
