"""The recorded data, read the way the pipeline reads them, and the hours that are judged."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from co2_assets.contracts import DATASETS
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, NEAR_HOURS
from co2_assets.contracts.schema import BEGINNING
from co2_assets.contracts.time import hour_of
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import FIRST_WINDOW_HOURS, Windows, build_windows
from co2_assets.pipeline.forecast_inputs import read_areas
from co2_assets.pipeline.hourly import store_hours
from co2_assets.pipeline.ingest import update
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings

Integers = NDArray[np.int64]
Say = Callable[[str], None]


def read_recording(archive: Path, home: Path, say: Say) -> dict[str, KnownData]:
    """Fetch the recording in the folder ``archive`` into a database in ``home`` and read it, by area.

    What ``home`` holds already is not fetched again. RuntimeError when a dataset cannot be had.
    """
    settings = Settings(home=home, source=f"archive:{archive}", history_days=3650)
    with open_run(settings) as pipeline:
        for dataset in DATASETS:
            say(f"reading {dataset.name}")
            for deepen in (False, True):
                report = update(pipeline, dataset, deepen=deepen)
                if report.error is not None:
                    raise RuntimeError(f"{dataset.name}: {report.error}")
        store_hours(pipeline)
        return read_areas(pipeline.warehouse, since=BEGINNING, until=pipeline.now)


@dataclass(frozen=True)
class Trial:
    """What every contestant is given: the data, what it may learn from, what it is judged on.

    ``train`` are the windows of all hours whose first day was over by ``until``; of the days beyond, what
    was not over is not known. ``test`` are those of every hour from ``until`` to HORIZON_HOURS before
    ``end``, so that every target lies before it.
    """

    data: KnownData
    until: datetime
    end: datetime
    train: Windows
    test: Windows

    def on(self, data: KnownData) -> "Trial":
        """The same trial on ``data``, from which a feed was taken away."""
        return trial(data, self.until, self.end)


def trial(data: KnownData, until: datetime, end: datetime) -> Trial:
    """Cut ``data`` into what may be learnt from and what is judged, both issued every hour."""
    known = data.cut(until)
    first = known.first_hour + FIRST_WINDOW_HOURS
    train = build_windows(known, np.arange(first, hour_of(until) - NEAR_HOURS + 1))
    test = build_windows(data, np.arange(hour_of(until), hour_of(end) - HORIZON_HOURS + 1))
    return Trial(data, until, end, train, test)
