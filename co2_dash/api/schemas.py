"""The shapes of the API's answers: times are ISO 8601 in UTC, intensities g CO2 per kWh consumed."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.danish_time import iso_utc
from co2_assets.contracts.forecast_spec import Cadence, ForecastKind
from co2_assets.contracts.sources import SourceKind

Instant = Annotated[
    datetime,
    PlainSerializer(iso_utc, return_type=str),
    Field(json_schema_extra={"format": "date-time", "examples": ["2024-06-01T00:00:00Z"]}),
]
PriceArea = Annotated[
    str,
    Field(
        description="The price area that was asked for; DK is the whole of Denmark.",
        json_schema_extra={"enum": list(AREAS)},
    ),
]

Level = Annotated[
    str | None,
    Field(description="Place of the value among the last 30 days in words; null when they are too few."),
]
OldLevel = Annotated[
    str | None, Field(description="The old name of `level`.", json_schema_extra={"deprecated": True})
]


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Origin(Answer):
    """Where an answer comes from: nothing made up or recorded can pass for live."""

    source: Literal[SourceKind.LIVE, SourceKind.ARCHIVE, SourceKind.SIMULATOR] = Field(
        description="live: the real service. archive: recorded real data. simulator: made up, none is real."
    )
    replayed: bool = Field(
        description="True when time stands still at `as_of`: recorded data, or a simulation of another time."
    )
    as_of: Instant = Field(description="Nothing knowable only after this instant is in the answer.")
    published_at: Instant = Field(description="When the snapshot was published, by the wall clock.")
    snapshot: str = Field(description="Version of the snapshot.")
    attribution: str = Field(description="To be named wherever the data are shown.")


class Measurement(Answer):
    """One measured hour."""

    hour: Instant = Field(description="Start of the hour.")
    co2_g_per_kwh: float | None = Field(
        description="Mean carbon intensity of electricity consumed, g CO2/kWh; null when not measured."
    )


class PowerMeasurement(Measurement):
    """One measured hour with what made it: production and exchange of the area, null where not measured."""

    production_ge_100_mw: float | None = Field(description="Central plants (100 MW and more), MW.")
    production_lt_100_mw: float | None = Field(description="Decentral plants (under 100 MW), MW.")
    solar_mw: float | None = Field(description="Solar, MW.")
    offshore_wind_mw: float | None = Field(description="Offshore wind, MW.")
    onshore_wind_mw: float | None = Field(description="Onshore wind, MW.")
    net_exchange_mw: float | None = Field(description="Net exchange, MW; positive is import.")


class ForecastValue(Answer):
    """One hour forecast, as quantiles in g CO2/kWh: the truth is below q10 one time in ten."""

    hour: Instant = Field(description="Start of the hour forecast.")
    lead_hours: int = Field(description="Hours ahead; 1 is the hour that starts at the issue time.")
    co2_g_per_kwh: float = Field(description="The forecast, which is its median, g CO2/kWh.")
    level: Level
    word: OldLevel
    stale: bool = Field(description="The same of every hour of a forecast: whether later ones were missed.")
    q05_g_per_kwh: float = Field(description="5 % quantile, g CO2/kWh.")
    q10_g_per_kwh: float = Field(description="10 % quantile, g CO2/kWh.")
    q25_g_per_kwh: float = Field(description="25 % quantile, g CO2/kWh.")
    q50_g_per_kwh: float = Field(description="Median, g CO2/kWh: the forecast.")
    q75_g_per_kwh: float = Field(description="75 % quantile, g CO2/kWh.")
    q90_g_per_kwh: float = Field(description="90 % quantile, g CO2/kWh.")
    q95_g_per_kwh: float = Field(description="95 % quantile, g CO2/kWh.")
    energinet_prognosis_g_per_kwh: float | None = Field(
        description="Energinet's own prognosis as known at issue, g CO2/kWh; null when there was none."
    )


STALE = (
    "True when two hourly forecasts were missed after it (a six-hour one, where the hourly ones are "
    "switched off), or when it is ahead of the clock."
)


class ForecastHead(Answer):
    """What is true of a whole forecast."""

    price_area: PriceArea
    unit: Literal["g CO2/kWh"] = Field(default="g CO2/kWh", description="Unit of every intensity.")
    issue_time: Instant = Field(description="The hour in which the forecast was issued; lead 1.")
    issued_at: Instant = Field(description="The instant at which it was issued.")
    next_issue_due: Instant | None = Field(
        description="When the next one is due; null where the data are replayed, for they stand still."
    )
    model_version: str = Field(description="The model that made it.")
    stale: bool = Field(description=STALE)
    degraded_causes: list[str] = Field(
        description="Why its bands are wider than usual; empty when all is well."
    )
    origin: Origin


class Latest(Answer):
    """The newest measured hour and what is forecast for the hour of now."""

    price_area: PriceArea
    unit: Literal["g CO2/kWh"] = Field(default="g CO2/kWh", description="Unit of every intensity.")
    measured: Measurement = Field(description="The newest hour with a measurement.")
    level: Level
    word: OldLevel
    cleaner_than_percent: float | None = Field(
        description="Share of the hours of the last 30 days that were higher, %."
    )
    this_hour: ForecastValue | None = Field(
        description="The forecast for the hour of now, when there is one."
    )
    origin: Origin


class History(Answer):
    """Measured hours, oldest first; an hour without data is missing."""

    price_area: PriceArea
    unit: Literal["g CO2/kWh"] = Field(default="g CO2/kWh", description="Unit of every intensity.")
    hours: list[PowerMeasurement]
    origin: Origin


class Forecast(ForecastHead):
    """A whole forecast."""

    hours: list[ForecastValue]


class Window(Answer):
    """Mean intensity over a stretch of time, with its 80 % band."""

    start: Instant = Field(description="When to start.")
    end: Instant = Field(description="When it ends.")
    co2_g_per_kwh: float = Field(description="Expected mean intensity, g CO2/kWh.")
    q50_g_per_kwh: float = Field(description="The same by its name as a quantile, g CO2/kWh.")
    median_g_per_kwh: float = Field(
        description="The old name of `co2_g_per_kwh`, g CO2/kWh.", json_schema_extra={"deprecated": True}
    )
    q10_g_per_kwh: float = Field(description="Lower end of its 80 % band, g CO2/kWh.")
    q90_g_per_kwh: float = Field(description="Upper end of its 80 % band, g CO2/kWh.")


class DayStretch(Window):
    """Three hours in a row of one day."""

    level: Level
    word: OldLevel


class Day(Answer):
    """One Danish day, of which the hours count that are forecast and begin after now."""

    date: str = Field(
        description="Date in Denmark.", json_schema_extra={"format": "date", "examples": ["2024-06-01"]}
    )
    n_hours: int = Field(
        description="How many of its hours count; the first and the last day are seldom whole."
    )
    cleanest: DayStretch
    dirtiest: DayStretch
    chance_cleaner: float | None = Field(
        description="Probability that the cleanest is really the cleaner one; null when they are the same."
    )


class DailySummary(ForecastHead):
    """The cleanest and the dirtiest hours of each day; a day with fewer than three hours is left out."""

    days: list[Day]


class CleanestWindow(ForecastHead):
    """The cleanest stretch of the coming hours beside starting now."""

    duration_hours: float = Field(description="Length asked for, h.")
    before: Instant = Field(description="Deadline: the stretch ends no later.")
    best: Window
    starting_now: Window
    saving_percent: float = Field(description="How much lower the best is than starting now, %.")
    chance_cleaner: float | None = Field(
        description="Probability that the best is really cleaner than starting now; null when they are one."
    )


class Outcome(Answer):
    """One forecast value and what came true."""

    issue_time: Instant = Field(description="The hour in which the forecast was issued; lead 1.")
    issued_at: Instant = Field(description="The instant at which it was issued.")
    hour: Instant = Field(description="Start of the hour forecast.")
    lead_hours: int = Field(description="Hours ahead.")
    model_version: str = Field(description="The model that made it.")
    q10_g_per_kwh: float = Field(description="10 % quantile, g CO2/kWh.")
    q50_g_per_kwh: float = Field(description="Median, g CO2/kWh.")
    q90_g_per_kwh: float = Field(description="90 % quantile, g CO2/kWh.")
    actual_g_per_kwh: float = Field(description="What was measured, g CO2/kWh.")
    error_g_per_kwh: float = Field(description="Median minus measured, g CO2/kWh.")


class Outcomes(Answer):
    """Forecasts of the last six measured hours against what came true."""

    price_area: PriceArea
    unit: Literal["g CO2/kWh"] = Field(default="g CO2/kWh", description="Unit of every intensity.")
    kind: ForecastKind = Field(
        description="live where there are live forecasts; else hindcast, or else backfill: both were issued "
        "later, as of then."
    )
    cadence: Cadence = Field(description="What the forecasts were issued for; never more than one.")
    hours: list[Outcome]
    origin: Origin


class LeadAccuracy(Answer):
    """Scores of one model over a range of leads on one window of hours."""

    model_version: str = Field(description="The model.")
    kind: ForecastKind = Field(
        description="What was scored: forecasts of one kind (live, hindcast or backfill), or the test part "
        "of the model's training."
    )
    cadence: Cadence = Field(description="What the scored forecasts were issued for; never more than one.")
    lead_from_hours: int = Field(description="First lead, h.")
    lead_to_hours: int = Field(
        description="Last lead, h; 1 to 6 is the headline, 2 to 7 the same of a forecast that is an hour old."
    )
    window_from: Instant = Field(description="First hour scored.")
    window_to: Instant = Field(description="End of the last hour scored.")
    evaluated_at: Instant = Field(description="When it was evaluated.")
    n_hours: int | None = Field(description="Different hours scored.")
    n_forecasts: int | None = Field(description="Forecast values scored.")
    mae_g_per_kwh: float | None = Field(description="Mean absolute error of the median, g CO2/kWh.")
    rmse_g_per_kwh: float | None = Field(description="Root mean squared error of the median, g CO2/kWh.")
    mape_percent: float | None = Field(description="Mean absolute percentage error, %.")
    accuracy_percent: float | None = Field(description="100 - MAPE, %.")
    persistence_mae_g_per_kwh: float | None = Field(
        description="Mean absolute error of persistence on the same hours, g CO2/kWh."
    )
    persistence_accuracy_percent: float | None = Field(description="100 - MAPE of persistence, %.")
    skill_persistence: float | None = Field(description="1 - MAE / MAE of persistence.")
    n_prognosis: int | None = Field(description="Values that had Energinet's prognosis beside them.")
    prognosis_mae_g_per_kwh: float | None = Field(
        description="Mean absolute error of Energinet's prognosis on those values, g CO2/kWh."
    )
    skill_prognosis: float | None = Field(description="1 - MAE / MAE of the prognosis, on those values.")
    pinball_loss_g_per_kwh: float | None = Field(
        description="Mean pinball loss over seven quantiles, g CO2/kWh."
    )
    coverage_50_percent: float | None = Field(description="Truth inside the 25-75 % band, %.")
    coverage_80_percent: float | None = Field(description="Truth inside the 10-90 % band, %.")
    coverage_90_percent: float | None = Field(description="Truth inside the 5-95 % band, %.")


class Accuracy(Answer):
    """The newest evaluation of each model and kind, by lead, beside the baselines."""

    price_area: PriceArea
    leads: list[LeadAccuracy]
    origin: Origin


class BestModel(Answer):
    """The champion: the last model promoted, not the newest trained."""

    price_area: PriceArea
    model_version: str = Field(description="Name of the model.")
    trained_at: Instant = Field(description="When it was trained.")
    architecture: str | None = Field(description="Architecture in one line.")
    parameters: int | None = Field(description="Number of trained weights.")
    data_from: Instant = Field(description="First hour of its data.")
    data_to: Instant = Field(description="End of its data.")
    validation_mae_g_per_kwh: float | None = Field(
        description="Mean absolute error of leads 1-6 on the validation part, g CO2/kWh."
    )
    test_mae_g_per_kwh: float | None = Field(
        description="Mean absolute error of leads 1-6 on the test part, g CO2/kWh."
    )
    test_persistence_mae_g_per_kwh: float | None = Field(
        description="Mean absolute error of persistence on the same hours, g CO2/kWh."
    )
    training_seconds: float | None = Field(description="Time that training took, s.")
    reason: str | None = Field(description="Why it was promoted.")
    compared_with: str | None = Field(description="The champion it was measured against, if there was one.")
    origin: Origin


class DatasetState(Answer):
    """How far one raw dataset has come."""

    dataset: str = Field(description="Name of the raw table.")
    newest: Instant | None = Field(description="Its newest time; null while it is empty.")
    rows: int = Field(description="Number of rows.")
    last_ok_fetch: Instant | None = Field(description="When it was last fetched well.")
    late: bool = Field(
        description="True when its newest time is further behind now than it should be, or it never came. "
        "Never for what is switched off."
    )
    switched_off: bool = Field(
        description="True when the operator's settings switch it off, so that nothing of it is requested."
    )


class AreaState(Answer):
    """One price area, and what there is of it."""

    price_area: PriceArea
    title: str = Field(description="What people call it.")
    measured_until: Instant | None = Field(description="End of its newest measured hour; null without one.")
    issue_time: Instant | None = Field(description="Issue time of its current forecast; null without one.")
    issued_at: Instant | None = Field(description="When that was issued; null without one.")
    model_version: str | None = Field(description="The model of its current forecast.")


class Areas(Answer):
    """The price areas, the whole country first."""

    areas: list[AreaState]
    origin: Origin


class Status(Answer):
    """The state of an area's data: what the pages say in their banners."""

    price_area: PriceArea
    state: Literal["ok", "stale", "no_forecast", "empty"] = Field(
        description="empty: nothing published. no_forecast: data but no forecast. "
        "stale: later forecasts were missed, or it is ahead of the clock."
    )
    notices: list[str] = Field(description="The same in plain words; empty when all is well.")
    now: Instant = Field(
        description="The time that ages are counted from: as_of where the data are replayed."
    )
    issue_time: Instant | None = Field(description="Issue time of the current forecast.")
    issued_at: Instant | None = Field(description="When it was issued.")
    next_issue_due: Instant | None = Field(
        description="When the next forecast is due; null without one, and where the data are replayed."
    )
    stale: bool = Field(description=STALE)
    forecast_age_hours: float | None = Field(description="Its age, h.")
    measured_until: Instant | None = Field(description="End of the newest measured hour.")
    model_version: str | None = Field(description="The model of the current forecast.")
    degraded_causes: list[str] = Field(description="Why its bands are wider than usual.")
    datasets: list[DatasetState]
    origin: Origin | None = Field(description="Null while nothing has been published.")


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = Field(default="ok", description="Always ok: an answer is the proof.")


class Readiness(Answer):
    """There is a forecast fit for use."""

    status: Literal["ready"] = Field(
        default="ready", description="Always ready; otherwise the answer is a 503."
    )
    issue_time: Instant = Field(description="Issue time of the current forecast.")
    issued_at: Instant = Field(description="When it was issued.")
