"""What a failed step says to a reader."""

import dagster as dg

from co2_assets.defs.run_log import reason_of
from co2_assets.http_service.errors import Unreachable


def test_our_error_is_said_without_the_place_of_its_class() -> None:
    @dg.asset
    def unreachable() -> None:
        raise Unreachable("no connection; the next run asks again")

    @dg.asset
    def broken() -> None:
        raise ValueError("no number")

    result = dg.materialize([unreachable, broken], raise_on_error=False)
    said = {event.step_key: reason_of(event) for event in result.all_events if event.is_step_failure}
    assert said["unreachable"] == "no connection; the next run asks again"
    assert said["broken"].startswith("ValueError: no number")
