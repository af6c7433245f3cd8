"""Everything that the UI shows is described, owned and grouped."""

import dagster as dg
import pytest

from movie_platform.definitions import build_defs
from movie_platform.settings import default_settings


@pytest.fixture(scope="module")
def specs() -> list[dg.AssetSpec]:
    return list(build_defs(default_settings()).resolve_all_asset_specs())


def test_every_asset_has_a_group_an_owner_kinds_and_a_description(specs: list[dg.AssetSpec]) -> None:
    wrong = [
        f"{spec.key.to_user_string()} lacks {what}"
        for spec in specs
        for what, there in {
            "a group": spec.group_name not in (None, "default"),
            "an owner": bool(spec.owners),
            "kinds": bool(spec.kinds),
            "a description": len(spec.description or "") > 30,
        }.items()
        if not there
    ]
    assert wrong == []


def test_every_check_says_what_it_holds() -> None:
    definitions = build_defs(default_settings())
    checks = [
        spec for asset in definitions.resolve_asset_graph().assets_defs for spec in getattr(asset, "check_specs", [])
    ]
    assert checks
    assert [spec.name for spec in checks if len(spec.description or "") < 10] == []
    assert [spec.name for spec in checks if spec.blocking] == []


def test_definitions_are_valid_and_name_no_default_group() -> None:
    dg.Definitions.validate_loadable(build_defs(default_settings()))
