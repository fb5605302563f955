"""All assets of the pipeline in the order of their lineage, and what they have in common."""

import warnings
from collections.abc import Sequence
from functools import cache

import dagster as dg

from co2_assets.contracts.timetable import DEFAULT_TIMETABLE, Timetable
from co2_assets.defs.assets.evaluations import model_evaluations
from co2_assets.defs.assets.features import aggregated_data, engineered_features
from co2_assets.defs.assets.forecasts import predictions
from co2_assets.defs.assets.metadata import FORECAST, OWNERS
from co2_assets.defs.assets.published_snapshot import published_snapshot
from co2_assets.defs.assets.raw_energy_data import energi_data_service, open_meteo, raw_energy_data
from co2_assets.defs.assets.trained_model import trained_model
from co2_assets.defs.cadence import SIX_HOURLY_ASSETS

# An asset of the six-hour job alone becomes stale one hour after a mark at which it was not made.
SIX_HOURLY = dg.FreshnessPolicy.time_window(fail_window=Timetable(hourly=False).longest_pause)

forecast_pages = dg.AssetSpec(
    "forecast_pages",
    group_name=FORECAST,
    deps=[published_snapshot],
    description="The Dash pages and the REST API. They read the published snapshot.",
    kinds={"dash"},
    owners=OWNERS,
)


def shared_by_all(assets: Sequence[dg.AssetsDefinition], timetable: Timetable) -> list[dg.AssetsDefinition]:
    """Return the assets with a freshness policy and with links to their source code.

    What the hourly job makes is to be as fresh as ``timetable`` says. The links name files on the machine
    that loads the definitions.
    """
    hourly = dg.FreshnessPolicy.time_window(fail_window=timetable.longest_pause)

    def fresh_spec(spec: dg.AssetSpec) -> dg.AssetSpec:
        is_six_hourly = spec.key.path[-1] in SIX_HOURLY_ASSETS
        return spec.replace_attributes(freshness_policy=SIX_HOURLY if is_six_hourly else hourly)

    fresh = [asset.map_asset_specs(fresh_spec) for asset in assets]
    with warnings.catch_warnings():
        # Code references are in beta: without them an asset has no link, and all else works.
        warnings.simplefilter("ignore", dg.BetaWarning)
        linked = dg.with_source_code_references(fresh)
    return [asset for asset in linked if isinstance(asset, dg.AssetsDefinition)]


@cache
def all_assets(timetable: Timetable = DEFAULT_TIMETABLE) -> tuple[dg.AssetsDefinition | dg.AssetSpec, ...]:
    """Return every asset; those that the hourly job makes are to be as fresh as ``timetable`` says.

    A process makes them once: to look up their source code takes a quarter of a second.
    """
    made = [
        *raw_energy_data,
        aggregated_data,
        engineered_features,
        trained_model,
        predictions,
        model_evaluations,
        published_snapshot,
    ]
    return (energi_data_service, open_meteo, *shared_by_all(made, timetable), forecast_pages)
