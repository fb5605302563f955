"""The model: trained when there is none or when asked, promoted only where it is better."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from pydantic import Field

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS, DENMARK, MEASUREMENTS
from co2_assets.contracts.tables import MODEL_TABLE
from co2_assets.defs.assets.features import aggregated_data, engineered_features
from co2_assets.defs.assets.metadata import OWNERS, definition_metadata, markdown_table
from co2_assets.pipeline.hourly import BEGINNING
from co2_assets.pipeline.run import Run
from co2_assets.settings import MAXIMUM_SEED

if TYPE_CHECKING:
    from co2_assets.forecasting.network.trained_model import TrainedModel

LISTED = ["price_area", "model_version", "decision", "test_mae_g_per_kwh", "reason", "trigger"]
CHECK_NAME = "model_usable"


class LearningConfig(dg.Config):
    """Run configuration of whatever trains: what to learn from, and how large a model."""

    seed: int | None = Field(
        default=None, ge=0, le=MAXIMUM_SEED, description="Random seed; empty takes the pipeline's."
    )
    window_days: int | None = Field(
        default=None, ge=1, description="Days of history to learn from; empty takes all that is held."
    )
    ensemble: int | None = Field(
        default=None, ge=1, description="Networks to average; empty takes 4, as measured."
    )
    hidden: int | None = Field(
        default=None, ge=1, description="Units of each network; empty takes 64, as measured."
    )
    epochs: int | None = Field(
        default=None, ge=1, description="Passes over the training part; empty takes 5, as measured."
    )

    def sizes(self) -> dict[str, int]:
        """Return the fields of TrainingConfig that are set here."""
        given = {"ensemble": self.ensemble, "hidden": self.hidden, "epochs": self.epochs}
        return {name: number for name, number in given.items() if number is not None}


class TrainingRunConfig(LearningConfig):
    """Run configuration of a training."""

    only_if_missing: bool = Field(
        default=False,
        description="Train only when there is no champion, as the six-hour job does.",
    )
    trigger: str = Field(default="asked for", description="What asked for the training; kept with the model.")


@dg.asset(
    group_name="model",
    deps=[
        aggregated_data,
        engineered_features,
        *(d.name for d in DATASETS if d not in MEASUREMENTS),
    ],
    description="The attention LSTM that forecasts. The six-hour job keeps the champion; materialized on "
    "demand or by the retraining sensor, a challenger is trained, and promoted only where it beats "
    "the champion on hours later than what either was fitted to. Weights lie beside the database as "
    "safetensors; this asset writes model_table and model_training_sets.",
    kinds={"pytorch", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(MODEL_TABLE),
    check_specs=[
        dg.AssetCheckSpec(
            CHECK_NAME,
            asset="trained_model",
            description="There is a trained model that can be used.",
        )
    ],
)
def trained_model(
    context: dg.AssetExecutionContext, config: TrainingRunConfig, pipeline: dg.ResourceParam[Run]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Train, measure against the champion, record. No connection is open while training."""
    # torch takes a second and a half to import: not for those who only look at the definitions.
    from co2_assets.pipeline.champions import load_champions

    champions = load_champions(pipeline.warehouse, pipeline.models, pipeline.now)
    champion = champions.get(DENMARK.name)
    if champion is not None and config.only_if_missing:
        context.log.info(f"Champion {champion.version} stays in use.")
        return _result(pipeline, champion.version, trained=False, check="The champion can be used.")

    if not config.only_if_missing:
        version = _train(context, config, pipeline, champions)
        return _result(pipeline, version, trained=True, check="A model was trained.")
    try:
        version = _train(context, config, pipeline, champions)
    except Exception as error:
        # Whatever ends a training must not end the forecast.
        context.log.exception("The training failed; the forecast goes on without a trained model")
        return _without_model(error)
    return _result(pipeline, version, trained=True, check="The first model was trained.")


def _train(
    context: dg.AssetExecutionContext,
    config: TrainingRunConfig,
    run: Run,
    champions: "Mapping[str, TrainedModel]",
) -> str:
    """Train a challenger, promote it where it is better, and return its version."""
    from co2_assets.forecasting.network.splits import TooLittleDataError
    from co2_assets.pipeline.champions import promote_if_better, train_challenger

    since = BEGINNING if config.window_days is None else run.now - timedelta(days=config.window_days)
    try:
        challenger = train_challenger(
            run,
            until=run.now.replace(minute=0, second=0),
            since=since,
            sizes=config.sizes(),
            seed=config.seed,
            progress=context.log.info,
        )
    except TooLittleDataError as error:
        raise dg.Failure(str(error)) from error
    verdicts = promote_if_better(run, challenger, champions, trigger=config.trigger)
    if not verdicts:
        context.log.info(f"The training gave champion {challenger.version} again, bit by bit.")
    for area_name, verdict in verdicts.items():
        context.log.info(
            f"{challenger.version} in {AREAS[area_name].title} {verdict.decision}: {verdict.reason}"
        )
    return challenger.version


def _result(pipeline: Run, version: str, *, trained: bool, check: str) -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(
        metadata=_metadata(pipeline, version, trained=trained),
        check_results=[dg.AssetCheckResult(check_name=CHECK_NAME, passed=True, description=check)],
    )


def _without_model(error: Exception) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Say that there is no model: the check turns red, the run goes on to a forecast without one."""
    return dg.MaterializeResult(
        check_results=[
            dg.AssetCheckResult(
                check_name=CHECK_NAME,
                passed=False,
                severity=dg.AssetCheckSeverity.ERROR,
                description=f"No model could be trained, so a statistical rule forecasts: {error}. The "
                "next run tries again.",
            )
        ]
    )


def _metadata(pipeline: Run, version: str, *, trained: bool) -> dict[str, dg.MetadataValue]:
    models = pipeline.warehouse.read(
        f"SELECT * FROM {MODEL_TABLE.name} ORDER BY trained_at_utc DESC, model_version, price_area"
    )
    row = models[models["model_version"] == version].iloc[0]
    return {
        "model_version": dg.MetadataValue.text(version),
        "trained_in_this_run": dg.MetadataValue.bool(trained),
        "decision": dg.MetadataValue.text(f"{row['decision']}: {row['reason']}"),
        "architecture": dg.MetadataValue.text(row["architecture"]),
        "parameters": dg.MetadataValue.int(int(row["parameters"])),
        **{
            name: dg.MetadataValue.float(float(row[name]))
            for name in ("validation_mae_g_per_kwh", "test_mae_g_per_kwh", "test_persistence_mae_g_per_kwh")
            if pd.notna(row[name])
        },
        "dagster/row_count": dg.MetadataValue.int(len(models)),
        "models": dg.MetadataValue.md(markdown_table(models[LISTED].head(10))),
    }
