"""What a sensor of a home says of the forecast: the same by the API and by MQTT."""

from collections.abc import Sequence
from typing import Any

from co2_assets.advice.cleanest_window import Advice, ForecastHour
from co2_assets.advice.intensity_scale import Scale
from co2_assets.contracts.forecast_spec import HEADLINE_HOURS
from co2_assets.contracts.time import HOUR


def sensor_fields(
    hours: Sequence[ForecastHour], scale: Scale | None, advice: Advice | None
) -> dict[str, Any]:
    """Return state, level, cleanest stretch, next hours and Predbat's forecast, by the names of the fields.

    ``hours`` are those to come, that of now first. Instants are naive UTC. Without a scale no level is known,
    and without advice no cleanest stretch.
    """

    def level(hour: ForecastHour) -> str | None:
        return scale.step(hour.median).word if scale else None

    return {
        "state": round(hours[0].median, 1),
        "level": level(hours[0]),
        "cleanest_start": advice and advice.best.start_utc,
        "cleanest_end": advice and advice.best.end_utc,
        "cleanest_g_per_kwh": advice and round(advice.best.median, 1),
        "cleanest_is_now": advice and advice.is_now,
        "saving_percent": advice and round(advice.saving_percent, 1),
        "next_hours": [
            {"hour": hour.start_utc, "co2_g_per_kwh": round(hour.median, 1), "level": level(hour)}
            for hour in hours[:HEADLINE_HOURS]
        ],
        "forecast": [
            {"from": hour.start_utc, "to": hour.start_utc + HOUR, "intensity": round(hour.median)}
            for hour in hours
        ],
    }
