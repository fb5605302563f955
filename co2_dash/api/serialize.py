"""Rows of a snapshot as the API's shapes."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import pandas as pd
from pydantic import BaseModel

from co2_assets.advice.cleanest_window import ForecastHour, Stretch
from co2_assets.advice.days import DayAhead
from co2_assets.advice.forecast_rows import forecast_hours
from co2_assets.advice.intensity_scale import Scale
from co2_assets.contracts.forecast_spec import MEDIAN_COLUMN
from co2_dash.advice.coming_hours import coming_hours
from co2_dash.advice.last_month import last_month
from co2_dash.api.cached_response import Refusal
from co2_dash.api.schemas import Day, DayStretch, ForecastValue, Origin, Window
from co2_dash.data.notices import NO_LONGER_FORECAST, attribution
from co2_dash.data.queries import records
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

Shape = TypeVar("Shape", bound=BaseModel)


def plain(value: Any) -> Any:
    """Return a cell as a plain Python value.

    None for what is missing or infinite, as a skill against an error of 0; naive UTC for a time; a number
    rounded to the third place.
    """
    if value is None or value is pd.NaT or (not isinstance(value, str) and pd.isna(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    return value


def shaped(shape: type[Shape], row: Mapping[str, Any], **renamed: str) -> Shape:
    """Return a row as ``shape``; ``renamed`` maps its fields to columns of another name."""
    return shape.model_validate({name: plain(row[renamed.get(name, name)]) for name in shape.model_fields})


def all_shaped(shape: type[Shape], rows: pd.DataFrame, **renamed: str) -> list[Shape]:
    """Return every row as ``shape``."""
    return [shaped(shape, row, **renamed) for row in records(rows)]


def forecast_values(rows: pd.DataFrame, view: View, state: DataState) -> list[ForecastValue]:
    """Return rows of the current forecast, in their order."""
    scale = last_month(view, state)
    levels = [scale.step(value).word if scale else None for value in rows[MEDIAN_COLUMN]]
    rows = rows.assign(level=pd.Series(levels, index=rows.index, dtype=object), stale=state.stale)
    return all_shaped(ForecastValue, rows, hour="target_hour_utc", co2_g_per_kwh=MEDIAN_COLUMN, word="level")


def origin_of(state: DataState, *, measured_only: bool = False) -> Origin:
    """Return where the answer comes from; the snapshot must be there.

    An answer of measurements alone does not rest on the weather forecast.
    """
    return Origin.model_validate(
        {
            "source": state.source,
            "replayed": state.replayed,
            "as_of": state.as_of_utc,
            "published_at": state.published_at_utc,
            "snapshot": state.version,
            "attribution": attribution(state, measured_only=measured_only),
        }
    )


def forecast_head(state: DataState) -> dict[str, Any]:
    """Return the fields of `ForecastHead`; refuses with 503 when there is no forecast."""
    if state.issue_time_utc is None or state.model_version is None:
        raise Refusal(503, "No forecast has been issued yet.")
    return {
        "price_area": state.area.name,
        "issue_time": state.issue_time_utc,
        "issued_at": state.issued_at_utc,
        "next_issue_due": state.next_due_utc,
        "model_version": state.model_version,
        "stale": state.stale,
        "degraded_causes": list(state.degraded_causes),
        "origin": origin_of(state),
    }


def hours_to_come(view: View, state: DataState) -> list[ForecastHour]:
    """Return the coming hours of the forecast; refuses with 503 when there are none."""
    hours = forecast_hours(coming_hours(view, state))
    if not hours:
        if state.has_ended:
            raise Refusal(503, f"{state.area.title} is no longer measured. {NO_LONGER_FORECAST}")
        raise Refusal(503, f"The forecast has run out; a new one is due {state.timetable.rhythm}.")
    return hours


def measured_until(state: DataState) -> datetime:
    """Return the end of the newest measured hour; refuses with 503 when nothing was measured."""
    if state.measured_until_utc is None:
        raise Refusal(503, "Nothing has been measured yet.")
    return state.measured_until_utc


def day_of(day: DayAhead, scale: Scale | None) -> Day:
    """Return a day as the API's shape."""

    def stretch(found: Stretch) -> DayStretch:
        level = scale.step(found.median).word if scale else None
        return DayStretch(**_window_fields(found), level=level, word=level)

    return Day(
        date=day.day.isoformat(),
        n_hours=day.n_hours,
        cleanest=stretch(day.cleanest),
        dirtiest=stretch(day.dirtiest),
        chance_cleaner=None if day.chance_cleaner is None else round(day.chance_cleaner, 3),
    )


def window_of(stretch: Stretch) -> Window:
    """Return a stretch as the API's shape."""
    return Window(**_window_fields(stretch))


def _window_fields(stretch: Stretch) -> dict[str, Any]:
    return {
        "start": stretch.start_utc,
        "end": stretch.end_utc,
        **dict.fromkeys(("co2_g_per_kwh", "q50_g_per_kwh", "median_g_per_kwh"), round(stretch.median, 3)),
        "q10_g_per_kwh": round(stretch.low, 3),
        "q90_g_per_kwh": round(stretch.high, 3),
    }
