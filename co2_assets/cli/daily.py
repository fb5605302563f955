"""The daily summary of `co2 forecast`: the cleanest and the dirtiest hours of each coming Danish day."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from co2_assets.advice.cleanest_window import NEARLY_SURE, Stretch
from co2_assets.advice.days import STRETCH_HOURS, DayAhead, days_ahead
from co2_assets.advice.forecast_rows import forecast_hours
from co2_assets.advice.intensity_scale import Scale
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.danish_time import clock, danish, day_name
from co2_assets.contracts.forecast_spec import QUANTILE_COLUMNS
from co2_assets.pipeline.status import clock as pipeline_clock
from co2_assets.pipeline.status import instant, newest_forecast
from co2_assets.settings import Settings
from co2_assets.warehouse.snapshots import Snapshot


def days_of(
    snapshot: Snapshot, settings: Settings, area_name: str = DENMARK.name
) -> tuple[list[DayAhead], datetime]:
    """Return the days that the newest forecast of an area reaches, and the instant they are told at.

    That is now, or the time of the last run where the data are recorded.
    """
    now = pipeline_clock(snapshot, settings)
    forecast = newest_forecast(snapshot, area_name, settings.as_of)
    whole = forecast.dropna(subset=list(QUANTILE_COLUMNS)).sort_values("target_hour_utc")
    return days_ahead(forecast_hours(whole), now), now


def daily_table(days: Sequence[DayAhead], now: datetime, scale: Scale | None) -> RenderableType:
    """Return the cleanest and the dirtiest hours of each day for people."""
    if not days:
        return Text(f"No day has {STRETCH_HOURS} hours of forecast left.")
    table = Table(
        title=f"The cleanest and the dirtiest {STRETCH_HOURS} hours in a row of each day, Danish time",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
    )
    for heading in ("day", "", "hours"):
        table.add_column(heading, no_wrap=True)
    for heading in ("g/kWh", "80 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("level", no_wrap=True)
    table.add_column("chance", justify="right", no_wrap=True)
    today = danish(now).date()
    for day in days:
        table.add_row(day_name(day.day, today), "cleanest", *_cells(day.cleanest, scale), _chance(day))
        table.add_row("", "dirtiest", *_cells(day.dirtiest, scale))
    table.caption = "chance: that the cleanest hours really are cleaner than the dirtiest"
    table.caption_justify = "left"
    return table


def _chance(day: DayAhead) -> str:
    if day.chance_cleaner is None:
        return "–"
    return f"over {NEARLY_SURE:.0%}" if day.chance_cleaner > NEARLY_SURE else f"{day.chance_cleaner:.0%}"


def daily_json(days: Sequence[DayAhead], scale: Scale | None) -> list[dict[str, Any]]:
    """Return the same as plain JSON values."""
    return [
        {
            "date": day.day.isoformat(),
            "n_hours": day.n_hours,
            "cleanest": _stretch_json(day.cleanest, scale),
            "dirtiest": _stretch_json(day.dirtiest, scale),
            "chance_cleaner": None if day.chance_cleaner is None else round(day.chance_cleaner, 3),
        }
        for day in days
    ]


def _cells(stretch: Stretch, scale: Scale | None) -> tuple[str, str, str, str]:
    return (
        f"{clock(stretch.start_utc)}–{clock(stretch.end_utc)}",
        f"{stretch.median:.0f}",
        f"{stretch.low:.0f}–{stretch.high:.0f}",
        "–" if scale is None else scale.step(stretch.median).word,
    )


def _stretch_json(stretch: Stretch, scale: Scale | None) -> dict[str, Any]:
    return {
        "start_utc": instant(stretch.start_utc),
        "end_utc": instant(stretch.end_utc),
        "median": round(stretch.median, 2),
        "q10": round(stretch.low, 2),
        "q90": round(stretch.high, 2),
        "level": None if scale is None else scale.step(stretch.median).word,
    }
