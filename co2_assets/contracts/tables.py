"""The tables that the pipeline derives. The raw ones are declared in `co2_assets.contracts.datasets`.

Every forecast row holds the forecasts of the baselines at the same instant, so that scoring does not
have to find out later what was known then.
"""

from typing import Final

from co2_assets.contracts.columns import FLOW_COLUMNS, POWER_COLUMNS, PRICE_AREA
from co2_assets.contracts.datasets import DATASETS, PRICE_AREAS
from co2_assets.contracts.forecast_spec import (
    LAG_HOURS,
    QUANTILE_COLUMNS,
    QUANTILES,
    ROLLING_HOURS,
    price_column,
)
from co2_assets.contracts.schema import Column, Kind, Table

# Values of `model_table.decision`.
PROMOTED: Final = "promoted"
REJECTED: Final = "rejected"
# `new_data_log.outcome` of a fetch whose rows were stored; the others are named by `ServiceError.outcome`.
FETCH_OK: Final = "ok"


def _time(name: str, description: str, *, nullable: bool = False) -> Column:
    return Column(name, Kind.TIMESTAMP, description, "UTC", nullable=nullable)


def _number(name: str, description: str, unit: str = "") -> Column:
    return Column(name, Kind.DOUBLE, description, unit)


def _count(name: str, description: str, unit: str = "") -> Column:
    return Column(name, Kind.INTEGER, description, unit)


def _text(name: str, description: str, *, nullable: bool = True) -> Column:
    return Column(name, Kind.TEXT, description, nullable=nullable)


def _co2(name: str, description: str) -> Column:
    return _number(name, description, "g/kWh")


AGGREGATED_DATA = Table(
    "aggregated_data",
    "Hourly means of complete hours (at least 45 of 60 minutes). A missing hour has no row. Production and "
    "exchange are those of the price area itself; flows of the whole country are the sums over both areas, "
    "the Great Belt aside. The net exchange of a price area has the Great Belt in it. The flow over a border "
    "that an area does not have is 0 where its production is held.",
    (
        PRICE_AREA,
        _time("hour_utc", "Start of the hour."),
        _count("minutes_observed", "Minutes the means are taken over.", "min"),
        _co2("co2_g_per_kwh", "Carbon intensity of electricity consumed."),
        *POWER_COLUMNS,
        *FLOW_COLUMNS,
    ),
    ("price_area", "hour_utc"),
)

ENGINEERED_FEATURES = Table(
    "engineered_features",
    "What was known about each hour once it was over: the model's view of the past.",
    (
        PRICE_AREA,
        _time("hour_utc", "Start of the hour."),
        _co2("co2_g_per_kwh", "Carbon intensity of electricity consumed."),
        *POWER_COLUMNS,
        *(_co2(f"co2_lag_{h}h_g_per_kwh", f"Carbon intensity {h} h before.") for h in LAG_HOURS),
        *(
            _co2(f"co2_rolling_{kind}_{h}h_g_per_kwh", f"{word} over the {h} h up to this one.")
            for h in ROLLING_HOURS
            for kind, word in (("mean", "Mean"), ("std", "Standard deviation"))
        ),
        _number("hour_sin", "Danish hour of day, sine."),
        _number("hour_cos", "Danish hour of day, cosine."),
        _number("weekday_sin", "Danish day of week, sine."),
        _number("weekday_cos", "Danish day of week, cosine."),
        _number("yearday_sin", "Day of year, sine."),
        _number("yearday_cos", "Day of year, cosine."),
        Column("is_holiday", Kind.BOOLEAN, "Danish public holiday or weekend."),
        _number("solar_elevation_sin", "Sine of the sun's elevation over Denmark; 0 at night."),
        _number("offshore_wind_forecast_mw", "Freshest leak-free offshore wind forecast.", "MW"),
        _number("onshore_wind_forecast_mw", "Freshest leak-free onshore wind forecast.", "MW"),
        _number("solar_forecast_mw", "Freshest leak-free solar forecast.", "MW"),
        *(_number(price_column(zone), f"Day-ahead price in {zone}.", "EUR/MWh") for zone in PRICE_AREAS),
        _co2("prognosis_g_per_kwh", "Energinet's prognosis, newest version known before the hour."),
        *FLOW_COLUMNS,
    ),
    ("price_area", "hour_utc"),
)

MODEL_TABLE = Table(
    "model_table",
    "Every trained model: what it is, its scores, and whether it was promoted and why. A model of several "
    "areas has a row for each area, with its scores there.",
    (
        PRICE_AREA,
        _text("model_version", "Name of the model: area, training time, seed, hash.", nullable=False),
        _time("trained_at_utc", "When it was trained, by the pipeline's clock."),
        _text("architecture", "Architecture in one line."),
        _count("parameters", "Number of trained weights."),
        _count("seed", "Random seed."),
        _text("feature_list", "Inputs, as a JSON list."),
        _time("data_from_utc", "First hour of its data."),
        _time("data_to_utc", "End of its data."),
        _co2("validation_mae_g_per_kwh", "MAE of leads 1-6 on the validation part."),
        _co2("test_mae_g_per_kwh", "MAE of leads 1-6 on the test part."),
        _co2("test_persistence_mae_g_per_kwh", "MAE of persistence on the same hours."),
        _number("training_seconds", "Wall time of training.", "s"),
        _text("training_curve", "Losses by network and epoch, as JSON."),
        _text("weights_file", "File name of the weights, in the model folder."),
        _text("weights_sha256", "SHA-256 of the weights file."),
        _text("decision", f"{PROMOTED} or {REJECTED}.", nullable=False),
        _text("reason", "Why it was promoted or rejected."),
        _text("compared_with", "The champion that it was compared with."),
        _time("compared_from_utc", "Start of the compared hours.", nullable=True),
        _time("compared_to_utc", "End of the compared hours, exclusive.", nullable=True),
        _co2("challenger_mae_g_per_kwh", "Its own MAE on these hours, leads 1-6."),
        _co2("champion_mae_g_per_kwh", "The champion's MAE on these hours, leads 1-6."),
        _text("trigger", "Why it was trained."),
    ),
    ("price_area", "model_version"),
)

MODEL_TRAINING_SETS = Table(
    "model_training_sets",
    "The parts of the data that each model was trained, validated and tested on, by area.",
    (
        PRICE_AREA,
        _text("model_version", "The model.", nullable=False),
        _text("split", "train, validation or test.", nullable=False),
        _time("from_utc", "First issue time of the part."),
        _time("to_utc", "End of the part."),
        _count("windows", "Windows in the part."),
    ),
    ("price_area", "model_version", "split"),
)

PREDICTIONS = Table(
    "predictions",
    "Every issued forecast, with the forecasts of the baselines at the same instant. Never rewritten: a "
    "forecast is identified by the instant at which it was issued.",
    (
        PRICE_AREA,
        _time("issue_time_utc", "The hour in which the forecast was issued; lead 1."),
        _time("target_hour_utc", "Start of the hour forecast."),
        _text("model_version", "The model that issued it.", nullable=False),
        _count("lead_hours", "1 is the hour that starts at the issue time.", "h"),
        _text(
            "kind",
            "live; hindcast: issued later with what was known then; backfill: the same, by a model of then.",
            nullable=False,
        ),
        *(
            _co2(name, f"Forecast quantile {level:g}.")
            for name, level in zip(QUANTILE_COLUMNS, QUANTILES, strict=True)
        ),
        _co2("persistence_g_per_kwh", "Baseline: the last actual known at issue."),
        _co2("same_hour_yesterday_g_per_kwh", "Baseline: the last actual of that hour of day."),
        _co2("energinet_prognosis_g_per_kwh", "Baseline: the prognosis known at issue."),
        _text("degraded_causes", "Why the bands are wider, as a JSON list; [] when they are not."),
        _time("issued_at_utc", "When it was issued. Nothing that became known after this instant was used."),
        _text(
            "cadence",
            "six_hour: by the six-hour job; hourly: the first of an hour between; update: again in an hour.",
            nullable=False,
        ),
    ),
    ("price_area", "issue_time_utc", "target_hour_utc", "model_version", "issued_at_utc"),
)

MODEL_EVALUATIONS = Table(
    "model_evaluations",
    "Scores of the forecasts against the measurements, by lead and over ranges of leads.",
    (
        _text("evaluation_id", "Area, model, kind, cadence and end of the window.", nullable=False),
        PRICE_AREA,
        _text("model_version", "The model.", nullable=False),
        _text("kind", "live, hindcast, backfill or test.", nullable=False),
        _count("lead_from_hours", "First lead; 1 more than the age in hours.", "h"),
        _count("lead_to_hours", "Last lead; 1-6 is the headline, 2-7 what it is an hour later.", "h"),
        _time("window_from_utc", "First hour scored."),
        _time("window_to_utc", "End of the last hour scored."),
        _time("evaluated_at_utc", "When it was evaluated, by the pipeline's clock."),
        _count("n_hours", "Different hours scored.", "h"),
        _count("n_forecasts", "Forecast values scored."),
        _co2("mae_g_per_kwh", "Mean absolute error of the median."),
        _co2("rmse_g_per_kwh", "Root mean squared error of the median."),
        _number("mse", "Mean squared error of the median.", "(g/kWh)^2"),
        _number("mape_percent", "Mean absolute percentage error.", "%"),
        _number("r2", "Coefficient of determination."),
        _number("accuracy_percent", "100 - MAPE.", "%"),
        _co2("persistence_mae_g_per_kwh", "MAE of persistence on the same hours."),
        _number("persistence_accuracy_percent", "100 - MAPE of persistence on the same hours.", "%"),
        _number("skill_persistence", "1 - MAE / MAE of persistence."),
        _count("n_prognosis", "Forecast values for which there was a prognosis."),
        _co2("prognosis_mae_g_per_kwh", "MAE of Energinet's prognosis where it was known."),
        _number("skill_prognosis", "1 - MAE / MAE of the prognosis, on the same values."),
        _co2("pinball_loss_g_per_kwh", "Mean pinball loss over the seven quantiles."),
        _number("coverage_50_percent", "Share of measurements inside the 25-75 % band.", "%"),
        _number("coverage_80_percent", "Share of measurements inside the 10-90 % band.", "%"),
        _number("coverage_90_percent", "Share of measurements inside the 5-95 % band.", "%"),
        _text("cadence", "The cadence of the forecasts that were scored.", nullable=False),
    ),
    ("evaluation_id", "lead_from_hours", "lead_to_hours"),
)

NEW_DATA_LOG = Table(
    "new_data_log",
    "One row per fetch: the requested window and the outcome.",
    (
        _text("dataset", "The raw table.", nullable=False),
        _time("fetched_at_utc", "When, by the pipeline's clock."),
        _time("window_from_utc", "Start of the requested window."),
        _time("window_to_utc", "End of the requested window, exclusive."),
        _text("purpose", "recent, or history.", nullable=False),
        _text("outcome", f"{FETCH_OK}, or the name of what went wrong.", nullable=False),
        _count("rows_received", "Rows in the response."),
        _count("rows_new", "Rows that were not there before."),
        _count("rows_changed", "Rows whose values changed."),
        _count("rows_quarantined", "Values that broke their contract."),
        _number("duration_s", "Time the request took.", "s"),
        _text("message", "The error and its remedy; null when there was no error."),
    ),
    ("dataset", "fetched_at_utc", "window_from_utc", "window_to_utc"),
)

QUARANTINED_VALUES = Table(
    "quarantined_values",
    "Values that broke their contract and were quarantined, with the reason.",
    (
        _text("dataset", "The raw table the row was meant for.", nullable=False),
        _text("row_key", "The row's key.", nullable=False),
        Column("column_name", Kind.TEXT, "The column at fault.", nullable=False),
        _text("value", "The value as received.", nullable=False),
        _text("reason", "What is wrong with it."),
        _time("quarantined_at_utc", "When it was first seen, by the pipeline's clock."),
        _text("row_json", "The whole row as received."),
        _time("released_at_utc", "When a person released it into its table.", nullable=True),
    ),
    ("dataset", "row_key", "column_name", "value"),
)

DERIVED_TABLES = (
    AGGREGATED_DATA,
    ENGINEERED_FEATURES,
    MODEL_TABLE,
    MODEL_TRAINING_SETS,
    PREDICTIONS,
    MODEL_EVALUATIONS,
    NEW_DATA_LOG,
    QUARANTINED_VALUES,
)
RAW_TABLES = tuple(dataset.table for dataset in DATASETS)
TABLES = (*RAW_TABLES, *DERIVED_TABLES)
