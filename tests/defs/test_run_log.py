"""What a failed step says to a reader."""

import dagster as dg

from co2_assets.defs.run_log import reason_of
from co2_assets.settings import SettingsError


def test_our_error_is_said_without_the_place_of_its_class() -> None:
    @dg.asset
    def unset() -> None:
        raise SettingsError("CO2_SOURCE is set to nothing; leave it out")

    @dg.asset
    def broken() -> None:
        raise ValueError("no number")

    result = dg.materialize([unset, broken], raise_on_error=False)
    said = {event.step_key: reason_of(event) for event in result.all_events if event.is_step_failure}
    assert said["unset"] == "CO2_SOURCE is set to nothing; leave it out"
    assert said["broken"].startswith("ValueError: no number")
