"""The forecast as Home Assistant finds it by itself: MQTT discovery, a sensor for each area.

The attributes have the names of the answer of the API for Home Assistant. `forecast` is in the form that
Predbat reads. An attribute list over 16,384 bytes would not be recorded; 72 hours take under half of that.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from co2_assets.advice.asked_window import asked_window
from co2_assets.advice.cleanest_window import ForecastHour, NoWindow
from co2_assets.advice.forecast_rows import HIGH, LOW, forecast_hours
from co2_assets.advice.home_sensor import sensor_fields
from co2_assets.advice.intensity_scale import Scale
from co2_assets.contracts import CO2_EMISSION, WEATHER_FORECAST
from co2_assets.contracts.areas import AREAS, DENMARK, Area
from co2_assets.contracts.forecast_spec import MEDIAN_COLUMN
from co2_assets.contracts.sources import ATTRIBUTION, SIMULATED, STAND_IN, SourceKind
from co2_assets.contracts.time import hour_containing
from co2_assets.contracts.weather import WEATHER_ATTRIBUTION
from co2_assets.notify.conditions import MADE_UP
from co2_assets.pipeline.last_month import last_month
from co2_assets.pipeline.run import Run
from co2_assets.pipeline.status import instant
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot

# The prefix under which Home Assistant looks for discovery messages unless it is told another.
DISCOVERY = "homeassistant"
UNIT = "g/kWh"
DEVICE = {"identifiers": ["co2_in_the_socket"], "name": "CO2 in the socket", "model": "Forecast"}


def messages(run: Run, snapshot: Snapshot) -> dict[str, str]:
    """Return the messages by topic: of each area with a forecast of now its discovery, state and attributes.

    State and attributes come before the discovery, so that a new sensor has its state at once.
    """
    first = hour_containing(run.now)
    needed = (MEDIAN_COLUMN, LOW, HIGH)
    whole = " AND ".join(f"isfinite({column})" for column in needed)
    rows = snapshots.query(
        snapshot,
        f"""
        SELECT price_area, issued_at_utc, target_hour_utc, {", ".join(needed)} FROM current_forecast
        WHERE {whole} AND target_hour_utc >= ? ORDER BY price_area, target_hour_utc
        """,
        [first],
    )
    found: dict[str, str] = {}
    for name, own in rows.groupby("price_area"):
        issued_at = own["issued_at_utc"].iloc[0].to_pydatetime()
        # An area that is no longer forecast, or whose forecast does not reach this hour, has no state.
        if (
            name not in AREAS
            or own["target_hour_utc"].iloc[0] != first
            or not run.timetable.is_fresh(issued_at, run.now)
        ):
            continue
        area, topic = AREAS[str(name)], f"co2/{str(name).lower()}"
        fields = fields_of(forecast_hours(own), run.now, last_month(snapshot, run.now, area.name))
        found[f"{topic}/state"] = f"{fields.pop('state'):.1f}"
        found[f"{topic}/attributes"] = _text(_about(area, snapshot, issued_at) | fields)
        expires = run.timetable.stale_from(issued_at) - run.now
        found[f"{DISCOVERY}/sensor/co2/{area.name.lower()}/config"] = _text(
            _discovery(area, snapshot, topic, expires)
        )
    return found


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), default=instant)


def fields_of(hours: list[ForecastHour], now: datetime, scale: Scale | None) -> dict[str, Any]:
    """Return state, level, cleanest stretch and forecast of the hours to come, that of now first."""
    try:
        advice, _ = asked_window(hours, now)
    except NoWindow:
        # The forecast ends before so long a stretch would.
        advice = None
    return sensor_fields(hours, scale, advice)


def _about(area: Area, snapshot: Snapshot, issued_at: datetime) -> dict[str, Any]:
    return {
        "unit": "g CO2/kWh",
        "price_area": area.name,
        "issued_at": issued_at,
        "source": snapshot.source,
        "attribution": _attribution(area, snapshot),
    }


def _attribution(area: Area, snapshot: Snapshot) -> str:
    """Return whose data the forecast rests on, as pages and API say it."""
    if snapshot.source == SourceKind.SIMULATOR:
        return SIMULATED
    said = [ATTRIBUTION]
    if snapshot.source == SourceKind.ARCHIVE and area.measured_in == CO2_EMISSION.name:
        said.append(f"For this area, {STAND_IN}.")
    held = snapshots.query(
        snapshot, "SELECT row_count FROM dataset_freshness WHERE dataset = ?", [WEATHER_FORECAST.name]
    )
    if (held["row_count"] > 0).any():
        said.append(f"{WEATHER_ATTRIBUTION}.")
    return " ".join(said)


def _discovery(area: Area, snapshot: Snapshot, topic: str, expires: timedelta) -> dict[str, Any]:
    made_up = MADE_UP.get(SourceKind(snapshot.source), "")
    ending = "" if area is DENMARK else f"_{area.name.lower()}"
    return {
        "name": f"Grid CO2 {area.title}{made_up}",
        "unique_id": f"co2_in_the_socket_{area.name.lower()}",
        "default_entity_id": f"sensor.grid_co2{ending}",
        "state_topic": f"{topic}/state",
        "json_attributes_topic": f"{topic}/attributes",
        "unit_of_measurement": UNIT,
        "state_class": "measurement",
        "icon": "mdi:molecule-co2",
        # Then it is called unavailable: a forecast that nobody renews must not pass for one of now.
        "expire_after": int(expires.total_seconds()),
        "device": DEVICE,
        "origin": {"name": "co2-assets"},
    }
