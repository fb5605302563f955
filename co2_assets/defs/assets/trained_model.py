"""The model: trained when there is none or on request, and promoted only if it is better."""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg
import pandas as pd
from pydantic import Field

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS, AVERAGED, DENMARK
from co2_assets.contracts.schema import BEGINNING
from co2_assets.contracts.tables import MODEL_TABLE
from co2_assets.contracts.time import hour_containing
from co2_assets.defs.assets.features import aggregated_data, engineered_features
from co2_assets.defs.assets.metadata import FORECAST, OWNERS, definition_metadata, frame_value
from co2_assets.forecasting.forecaster import Model, TooLittleDataError
from co2_assets.pipeline.champions import load_champions, promote_if_better, train_challenger
from co2_assets.pipeline.retraining import Trigger
from co2_assets.pipeline.run import Run
from co2_assets.settings import MAXIMUM_SEED

# The fields of a run configuration that are sizes of a model.
SIZES = (
    "ensemble",
    "hidden",
    "epochs",
    "first_hidden",
    "first_epochs",
    "far_ensemble",
    "far_hidden",
    "far_epochs",
)
LISTED_VERSIONS = 4
LISTED_COLUMNS = ["price_area", "model_version", "decision", "test_mae_g_per_kwh", "reason", "trigger"]
CHECK_NAME = "model_usable"


class LearningConfig(dg.Config):
    """Run configuration of anything that trains: the history to learn from and the size of the model."""

    seed: int | None = Field(
        default=None, ge=0, le=MAXIMUM_SEED, description="Random seed; empty takes the seed of the settings."
    )
    window_days: int | None = Field(
        default=None, ge=1, description="Days of history to learn from; empty takes all that is stored."
    )
    ensemble: int | None = Field(
        default=None,
        ge=1,
        description="Networks of the first day ahead, whose quantiles are averaged; empty takes 4, the best "
        "of those measured.",
    )
    hidden: int | None = Field(
        default=None, ge=1, description="Units of each of them; empty takes 64, the best of those measured."
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        description="Their passes over the training part; empty takes 5, the best of those measured.",
    )
    first_hidden: int | None = Field(
        default=None,
        ge=1,
        description="Units of each plain network of the first hours; empty takes 128, the best of those "
        "measured.",
    )
    first_epochs: int | None = Field(
        default=None,
        ge=1,
        description="Their passes over the training part; empty takes 10, the best of those measured.",
    )
    far_ensemble: int | None = Field(
        default=None,
        ge=1,
        description="Networks of the days beyond; empty takes 2, the best of those measured.",
    )
    far_hidden: int | None = Field(
        default=None, ge=1, description="Units of each of them; empty takes 48, the best of those measured."
    )
    far_epochs: int | None = Field(
        default=None,
        ge=1,
        description="Their passes over the training part; empty takes 6, the best of those measured.",
    )

    def sizes(self) -> dict[str, int]:
        """Return the sizes that are set here, as the forecaster takes them."""
        given = {name: getattr(self, name) for name in SIZES}
        return {name: number for name, number in given.items() if number is not None}


class TrainingRunConfig(LearningConfig):
    """Run configuration of a training."""

    only_if_missing: bool = Field(
        default=False,
        description="Train only if there is no usable champion, as the six-hour job does.",
    )
    trigger: str = Field(
        default=Trigger.REQUESTED.value,
        description="What requested the training; it is stored with the model.",
    )


@dg.asset(
    group_name=FORECAST,
    deps=[
        aggregated_data,
        engineered_features,
        *(d.name for d in DATASETS if d not in AVERAGED),
    ],
    description="The attention LSTM that forecasts. The six-hour job keeps the champion. When this asset is "
    "materialized on demand or by the retraining sensor, it trains a challenger and promotes it in each area "
    "where it is better than the champion on hours that neither was fitted to. The weights are safetensors "
    "files beside the database; the asset writes model_table and model_training_sets.",
    kinds={"pytorch", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(MODEL_TABLE),
    check_specs=[
        dg.AssetCheckSpec(
            CHECK_NAME,
            asset="trained_model",
            description="A trained model exists and can be loaded.",
        )
    ],
)
def trained_model(
    context: dg.AssetExecutionContext, config: TrainingRunConfig, pipeline: dg.ResourceParam[Run]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Train, compare with the champion and store the result. No connection is open during the training."""
    champions = load_champions(pipeline)
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
        # No failure of the training may prevent the forecast.
        context.log.exception("The training failed; the forecast is made without a trained model")
        return _without_model(error)
    return _result(pipeline, version, trained=True, check="The first model was trained.")


def _train(
    context: dg.AssetExecutionContext,
    config: TrainingRunConfig,
    run: Run,
    champions: Mapping[str, Model],
) -> str:
    """Train a challenger, promote it in the areas where it is better, and return its version."""
    since = BEGINNING if config.window_days is None else run.now - timedelta(days=config.window_days)
    try:
        challenger = train_challenger(
            run,
            until=hour_containing(run.now),
            since=since,
            sizes=config.sizes(),
            seed=config.seed,
            progress=context.log.info,
        )
    except TooLittleDataError as error:
        raise dg.Failure(str(error)) from error
    verdicts = promote_if_better(run, challenger, champions, trigger=config.trigger)
    if not verdicts:
        context.log.info(f"The training gave exactly the same model as champion {challenger.version}.")
    for area_name, verdict in verdicts.items():
        context.log.info(
            f"{challenger.version} in {AREAS[area_name].title} {verdict.decision}: {verdict.reason}"
        )
    return challenger.version


def _result(run: Run, version: str, *, trained: bool, check: str) -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(
        metadata=_metadata(run, version, trained=trained),
        check_results=[dg.AssetCheckResult(check_name=CHECK_NAME, passed=True, description=check)],
    )


def _without_model(error: Exception) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Return a failed check: there is no model, and the run continues to a forecast without one."""
    return dg.MaterializeResult(
        check_results=[
            dg.AssetCheckResult(
                check_name=CHECK_NAME,
                passed=False,
                severity=dg.AssetCheckSeverity.ERROR,
                description=f"No model could be trained, so a statistical rule forecasts: {error}. The "
                "next run tries to train again.",
            )
        ]
    )


def _metadata(run: Run, version: str, *, trained: bool) -> dict[str, dg.MetadataValue]:
    models = run.warehouse.read(
        f"SELECT * FROM {MODEL_TABLE.name} ORDER BY trained_at_utc DESC, model_version, price_area"
    )
    row = models[models["model_version"] == version].iloc[0]
    newest = models["model_version"].drop_duplicates().head(LISTED_VERSIONS)
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
        "models": frame_value(models.loc[models["model_version"].isin(newest), LISTED_COLUMNS]),
    }
