"""What a run issues forecasts for, by the tag of its job."""

from typing import Final

import dagster as dg

from co2_assets.contracts.forecast_spec import Cadence

CADENCE_TAG: Final = "co2/cadence"
# The assets that the hourly job leaves to the six-hour one.
SIX_HOURLY_ASSETS: Final = ("trained_model", "model_evaluations")


def cadence_of(run: dg.DagsterRun) -> Cadence:
    """Return the cadence that a run asks for: without the tag, as for one asset on demand, an update."""
    return Cadence(run.tags.get(CADENCE_TAG, Cadence.UPDATE))
