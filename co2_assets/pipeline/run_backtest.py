"""`co2 backtest`: bring the raw tables up to date, train or take the champion, score the past."""

from datetime import datetime, timedelta
from typing import Any

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS, DENMARK
from co2_assets.contracts.schema import BEGINNING
from co2_assets.forecasting.forecaster import Forecaster, Model, TooLittleDataError
from co2_assets.forecasting.score.backtest import backtest, report
from co2_assets.pipeline.champions import load_champion, train_challenger
from co2_assets.pipeline.forecast_inputs import read_areas
from co2_assets.pipeline.hourly import store_hours
from co2_assets.pipeline.ingest import update
from co2_assets.pipeline.progress import Progress
from co2_assets.pipeline.run import DEFAULT_FORECASTER, Run, open_run
from co2_assets.settings import MAXIMUM_HISTORY_DAYS, Settings, SettingsError

# No source has a longer history, and each issue time takes memory.
LONGEST = timedelta(days=MAXIMUM_HISTORY_DAYS)


class BacktestError(RuntimeError):
    """A backtest that cannot be made; the message says why and what would do."""


def run_backtest(
    settings: Settings,
    *,
    start: datetime,
    end: datetime,
    every_hours: int,
    train_until: datetime | None,
    area_name: str = DENMARK.name,
    progress: Progress,
    forecaster: Forecaster = DEFAULT_FORECASTER,
) -> dict[str, Any]:
    """Return the report of `co2_assets.forecasting.score.backtest.report`.

    With ``train_until`` a model is trained on what was knowable then; its files are not kept and
    nothing is promoted. ``progress`` gets a line for each step. Raises SettingsError for times that make no
    sense and BacktestError when data or model are missing.
    """
    if start >= end:
        raise SettingsError(f"--from {start:%Y-%m-%dT%H:%MZ} must lie before --to {end:%Y-%m-%dT%H:%MZ}")
    if train_until is not None and train_until > start:
        raise SettingsError("--train-until must not lie after --from: the model would have seen the answers")
    if end - start > LONGEST:
        raise SettingsError(
            f"--from to --to is {(end - start).days} days: a backtest takes {LONGEST.days} at most"
        )
    with open_run(settings, forecaster=forecaster) as run:
        if start >= run.now:
            raise SettingsError(
                f"--from {start:%Y-%m-%dT%H:%MZ} is not before {run.now:%Y-%m-%dT%H:%MZ}, the time "
                "of the run: nothing can be scored yet"
            )
        _bring_up_to_date(run, progress)
        return _backtest(run, start, end, every_hours, train_until, area_name, progress)


def _bring_up_to_date(run: Run, progress: Progress) -> None:
    for dataset in DATASETS:
        progress(f"bringing {dataset.name} up to date")
        for deepen in (False, True) if run.service.unlimited else (False,):
            report = update(run, dataset, deepen=deepen, progress=progress)
            if report.error is not None:
                progress(f"{report.error} Going on with what is held.")
    store_hours(run)


def _backtest(
    run: Run,
    start: datetime,
    end: datetime,
    every_hours: int,
    train_until: datetime | None,
    area_name: str,
    progress: Progress,
) -> dict[str, Any]:
    areas = read_areas(run.warehouse, since=BEGINNING, until=run.now)
    if area_name not in areas:
        raise BacktestError(f"no hour of {AREAS[area_name].title} ({area_name}) was measured in this source")
    if train_until is None:
        champion = load_champion(run, area_name)
        if champion is None:
            raise BacktestError("there is no champion yet: give --train-until, or run `co2 tick` first")
        model: Model = champion
    else:
        try:
            # The backtest itself is the test, so no part of the history is set aside for one.
            challenger = train_challenger(run, until=train_until, with_test=False, progress=progress)
        except TooLittleDataError as error:
            raise BacktestError(str(error)) from error
        own = next((trained for trained in challenger.models if trained.area.name == area_name), None)
        if own is None:
            raise BacktestError(
                f"{AREAS[area_name].title} ({area_name}) has too little history before {train_until}"
            )
        model = own
    progress(f"issuing every {every_hours} h from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC")
    every = timedelta(hours=every_hours)
    try:
        outcomes = backtest(model, areas[area_name], start, end, every)
    except (ValueError, RuntimeError) as error:
        raise BacktestError(str(error)) from error
    return {"source": run.folder.label, **report(outcomes, model, every)}
