"""All assets of the pipeline in the order of their lineage, and what they have in common."""

import warnings
from collections.abc import Sequence

import dagster as dg

from co2_assets.contracts.forecast_spec import OVERDUE_AFTER
from co2_assets.defs.assets.evaluations import model_evaluations
from co2_assets.defs.assets.features import aggregated_data, engineered_features
from co2_assets.defs.assets.forecasts import predictions
from co2_assets.defs.assets.metadata import OWNERS
from co2_assets.defs.assets.published_snapshot import published_snapshot
from co2_assets.defs.assets.raw_energy_data import energi_data_service, raw_energy_data
from co2_assets.defs.assets.trained_model import trained_model

# An asset becomes stale one hour after a six-hour mark at which it was not made.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=OVERDUE_AFTER)

forecast_pages = dg.AssetSpec(
    "forecast_pages",
    group_name="pages",
    deps=[published_snapshot],
    description="The Dash pages and the REST API. They read the published snapshot.",
    kinds={"dash"},
    owners=OWNERS,
)


def shared_by_all(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """Return the assets with the six-hour schedule's freshness policy and with links to their source code.

    The links name files on the machine that loads the definitions.
    """
    fresh = [
        asset.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=FRESHNESS))
        for asset in assets
    ]
    with warnings.catch_warnings():
        # Code references are in beta: without them an asset has no link, and all else works.
        warnings.simplefilter("ignore", dg.BetaWarning)
        linked = dg.with_source_code_references(fresh)
    return [asset for asset in linked if isinstance(asset, dg.AssetsDefinition)]


all_assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
    energi_data_service,
    *shared_by_all(
        [
            *raw_energy_data,
            aggregated_data,
            engineered_features,
            trained_model,
            predictions,
            model_evaluations,
            published_snapshot,
        ]
    ),
    forecast_pages,
]
