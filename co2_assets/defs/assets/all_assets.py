"""Every asset of the pipeline, in the order of its lineage, with what all of them share."""

import dagster as dg

from co2_assets.contracts.forecast_spec import OVERDUE_AFTER
from co2_assets.defs.assets.evaluations import model_evaluations
from co2_assets.defs.assets.features import aggregated_data, engineered_features
from co2_assets.defs.assets.forecasts import predictions
from co2_assets.defs.assets.metadata import OWNERS
from co2_assets.defs.assets.published_snapshot import published_snapshot
from co2_assets.defs.assets.raw_energy_data import energi_data_service, raw_energy_data
from co2_assets.defs.assets.trained_model import trained_model

# A six-hour mark missed by an hour turns an asset red.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=OVERDUE_AFTER)

forecast_pages = dg.AssetSpec(
    "forecast_pages",
    group_name="pages",
    deps=[published_snapshot],
    description="The Dash pages and the REST API. They read the published snapshot.",
    kinds={"dash"},
    owners=OWNERS,
)


def with_freshness(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Return the asset with the freshness policy of the six-hour schedule."""
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=FRESHNESS))


all_assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
    energi_data_service,
    *(
        with_freshness(asset)
        for asset in (
            *raw_energy_data,
            aggregated_data,
            engineered_features,
            trained_model,
            predictions,
            model_evaluations,
            published_snapshot,
        )
    ),
    forecast_pages,
]
