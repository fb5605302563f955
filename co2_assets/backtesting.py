"""`co2 backtest`: bring the raw tables up to date, train or take the champion, score the past."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from co2_assets.assets.features import BEGINNING, store_hours
from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS, DENMARK
from co2_assets.ingest import update
from co2_assets.inputs import read_areas
from co2_assets.pipeline import Pipeline, open_pipeline
from co2_assets.settings import Settings, SettingsError

Say = Callable[[str], None]


class BacktestError(RuntimeError):
    """A backtest that cannot be made; the message says why and what would do."""


def run_backtest(
    settings: Settings,
    *,
    start: datetime,
    end: datetime,
    every_hours: int,
    train_until: datetime | None,
    area: str = DENMARK.name,
    say: Say,
) -> dict[str, Any]:
    """Return the report of `co2_assets.forecasting.score.backtest.report`.

    With ``train_until`` a model is trained on what was knowable then; its files are not kept and
    nothing is promoted. Raises SettingsError for times that make no sense and BacktestError when data
    or model are missing.
    """
    if start >= end:
        raise SettingsError(f"--from {start:%Y-%m-%dT%H:%MZ} must lie before --to {end:%Y-%m-%dT%H:%MZ}")
    if train_until is not None and train_until > start:
        raise SettingsError("--train-until must not lie after --from: the model would have seen the answers")
    with open_pipeline(settings) as pipeline:
        _bring_up_to_date(pipeline, say)
        return _backtest(pipeline, start, end, every_hours, train_until, area, say)


def _bring_up_to_date(pipeline: Pipeline, say: Say) -> None:
    for dataset in DATASETS:
        say(f"bringing {dataset.name} up to date")
        for deepen in (False, True) if pipeline.service.unlimited else (False,):
            report = update(pipeline, dataset, deepen=deepen, progress=say)
            if report.error is not None:
                say(f"{report.error} Going on with what is held.")
    store_hours(pipeline)


def _backtest(
    pipeline: Pipeline,
    start: datetime,
    end: datetime,
    every_hours: int,
    train_until: datetime | None,
    area: str,
    say: Say,
) -> dict[str, Any]:
    from co2_assets.forecasting.network.splits import TooLittleDataError
    from co2_assets.forecasting.network.trained_model import TrainingConfig
    from co2_assets.forecasting.network.training import EpochReport, train_together
    from co2_assets.forecasting.score.backtest import backtest, report
    from co2_assets.promotion import load_champion

    areas = read_areas(pipeline.warehouse, since=BEGINNING, until=pipeline.now)
    if area not in areas:
        raise BacktestError(f"no hour of {AREAS[area].title} ({area}) was measured in this source")
    if train_until is None:
        model = load_champion(pipeline.warehouse, pipeline.models, area, pipeline.now)
        if model is None:
            raise BacktestError("there is no champion yet: give --train-until, or run `co2 tick` first")
    else:

        def progress(epoch: EpochReport) -> None:
            say(f"network {epoch.network}, epoch {epoch.epoch}: validation loss {epoch.validation_loss:.4f}")

        # The backtest itself is the test, so no part of the history is set aside for one.
        config = TrainingConfig(test_share=0.0)
        try:
            together = train_together(
                list(areas.values()),
                until=train_until,
                seed=pipeline.seed,
                config=config,
                progress=progress,
            )
        except TooLittleDataError as error:
            raise BacktestError(str(error)) from error
        own = next((trained for trained in together if trained.area.name == area), None)
        if own is None:
            raise BacktestError(f"{AREAS[area].title} ({area}) has too little history before {train_until}")
        model = own
    say(f"issuing every {every_hours} h from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC")
    every = timedelta(hours=every_hours)
    try:
        outcomes = backtest(model, areas[area], start, end, every)
    except (ValueError, RuntimeError) as error:
        raise BacktestError(str(error)) from error
    return {"source": pipeline.folder.label, **report(outcomes, model, every)}
