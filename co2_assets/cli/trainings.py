"""What `co2 up` says of trainings: when one begins, and how it ends."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from co2_assets.cli.dagster_client import FINISHED

ENDED: Final = {
    "SUCCESS": "The training has ended; the model page says whether the new model forecasts now.",
    "FAILURE": "The training has failed; its page in Dagster shows the reason.",
    "CANCELED": "The training was cancelled.",
}


class Trainings:
    """Tells once of each training what became of it, but not of those that were over at the first look."""

    def __init__(self, statuses: Callable[[], Mapping[str, str]], url_of: Callable[[str], str]) -> None:
        """``statuses`` gives the statuses of the newest trainings by run, ``url_of`` the page of a run."""
        self._statuses = statuses
        self._url_of = url_of
        self._told: dict[str, str] | None = None

    def news(self) -> Iterator[str]:
        """Yield a line for each training that began or ended since the look before."""
        now = dict(self._statuses())
        before = {run: status for run, status in now.items() if status in FINISHED}
        told = before if self._told is None else self._told
        for run, status in now.items():
            if run not in told and status != "QUEUED":
                told[run] = "STARTED"
                yield f"A training has begun: {self._url_of(run)}"
            if run in told and told[run] not in FINISHED and status in FINISHED:
                told[run] = status
                yield ENDED[status]
        self._told = told
