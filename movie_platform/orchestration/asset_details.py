"""What is said of every asset alike: its source and layer as tags, its store among its kinds, and where its code is."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import dagster as dg

from movie_platform.settings import Settings

CODE = "dagster/code_references"
_SERVED = {"table", "view"}
_WAREHOUSE, _DELIVERED, _LAKE, _REPORT = "warehouse", "delivered", "lake", "report"

Asset = dg.AssetsDefinition | dg.AssetSpec


def detailed(assets: Iterable[Any], settings: Settings, source: str, defined_in: Path) -> list[Asset]:
    """The assets of one source with their details; an asset that nothing here makes is found where it is defined."""
    with warnings.catch_warnings():
        # References to code are in beta. Should their form change, the test of all definitions fails.
        warnings.simplefilter("ignore", dg.BetaWarning)
        place = dg.LocalFileCodeReference(file_path=str(defined_in), label="where it is defined")
        defined = {CODE: dg.CodeReferencesMetadataValue(code_references=[place])}
        return [
            asset.merge_attributes(metadata=defined)
            if isinstance(asset, dg.AssetSpec)
            else cast("dg.AssetsDefinition", dg.with_source_code_references([asset])[0])
            for asset in (_of_source(asset, settings, source) for asset in assets)
        ]


def _of_source(asset: Asset, settings: Settings, source: str) -> Asset:
    def completed(spec: dg.AssetSpec, *, is_external: bool) -> dg.AssetSpec:
        layer = _layer(spec, is_external=is_external)
        return spec.merge_attributes(tags={"source": source, "layer": layer}, kinds=_store(layer, settings))

    if isinstance(asset, dg.AssetSpec):
        return completed(asset, is_external=True)
    return asset.map_asset_specs(lambda spec: completed(spec, is_external=False))


def _layer(spec: dg.AssetSpec, *, is_external: bool) -> str:
    if is_external:
        return _DELIVERED
    if spec.kinds & _SERVED:
        return _WAREHOUSE
    return _REPORT if "html" in spec.kinds else _LAKE


def _store(layer: str, settings: Settings) -> set[str]:
    """The engine that serves a table, and S3 where the lake is there."""
    if layer == _WAREHOUSE:
        return {settings.warehouse.partition(":")[0]}
    return {"s3"} if layer == _LAKE and settings.lake_uri.startswith("s3:") else set()
