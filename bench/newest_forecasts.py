"""What the newest forecasts of wind and sun are worth: ``python -m bench.newest_forecasts``.

On simulated data of whole Denmark, since no recording has them: nine months until 2024-06-01, models trained
on the first seven, scored on the last two, a forecast each hour. One model was trained with the forecasts of
5 hours, of 1 hour and of the day itself, one with the day-ahead forecast in their place; both are scored with
either.
"""

import argparse
import logging
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.schema import BEGINNING
from co2_assets.forecasting.forecaster import Model
from co2_assets.forecasting.inputs.known_data import DAY_AHEAD, LATER_COLUMNS, KnownData
from co2_assets.forecasting.network.trained_model import TrainingConfig
from co2_assets.forecasting.network.training import train
from co2_assets.forecasting.score.backtest import backtest
from co2_assets.pipeline.forecast_inputs import read_areas
from co2_assets.pipeline.hourly import store_hours
from co2_assets.pipeline.ingest import update
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings

END = datetime(2024, 6, 1)
TRAIN_UNTIL = datetime(2024, 4, 1)
HISTORY_DAYS = 270
LEADS = {"1 h": (1, 1), "2 h": (2, 2), "3 h": (3, 3), "1-6 h": (1, 6), "7-24 h": (7, 24)}


def simulated(home: Path) -> KnownData:
    """Return what the pipeline holds of whole Denmark after it has fetched everything from the simulator."""
    settings = Settings(home=home, source="simulator", as_of=END, history_days=HISTORY_DAYS)
    with open_run(settings) as run:
        for dataset in DATASETS:
            for deepen in (False, True):
                update(run, dataset, deepen=deepen)
        store_hours(run)
        return read_areas(run.warehouse, since=BEGINNING, until=run.now)[DENMARK.name]


def day_ahead_only(data: KnownData) -> KnownData:
    """Return the data with the day-ahead forecast wherever a later one was published."""
    frame = data.wind_solar
    same = {name: frame[DAY_AHEAD].where(frame[name].notna()) for name in LATER_COLUMNS}
    return replace(data, wind_solar=frame.assign(**same))


def errors(model: Model, data: KnownData) -> list[float]:
    """Return the mean absolute error of each row of `LEADS`, then that of persistence over leads 1 to 6."""
    outcomes = backtest(model, data, TRAIN_UNTIL, END - timedelta(days=1), timedelta(hours=1))
    known = outcomes.dropna(subset=["actual_g_per_kwh"])
    missed = (known["actual_g_per_kwh"] - known["q50_g_per_kwh"]).abs()
    found = [float(missed[known["lead_hours"].between(*leads)].mean()) for leads in LEADS.values()]
    persistence = (known["actual_g_per_kwh"] - known["persistence_g_per_kwh"]).abs()
    return [*found, float(persistence[known["lead_hours"].between(*LEADS["1-6 h"])].mean())]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        newest = simulated(Path(folder))
    either = {"the newest": newest, "day ahead": day_ahead_only(newest)}
    print(f"| trained with | forecast with | {' | '.join(LEADS)} | persistence, 1-6 h |")
    print("|---" * (len(LEADS) + 3) + "|")
    for trained, data in either.items():
        config = TrainingConfig(test_share=0.0)
        model = train(data, until=TRAIN_UNTIL, seed=given.seed, config=config)
        for shown, own in either.items():
            row = " | ".join(f"{error:.2f}" for error in errors(model, own))
            print(f"| {trained} | {shown} | {row} |", flush=True)


if __name__ == "__main__":
    main()
