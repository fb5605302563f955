"""What the home page shows of a snapshot, read once for a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.advice.forecast_rows import forecast_hours
from co2_assets.advice.intensity_scale import Scale, scale_of
from co2_assets.contracts.forecast_spec import HEADLINE_HOURS
from co2_assets.contracts.time import HOUR, hour_containing
from co2_dash.advice.last_month import measured_last_month
from co2_dash.advice.outlooks import Outlook, outlooks
from co2_dash.advice.roughness import TypicalError, typical_error
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState


@dataclass(frozen=True)
class HomeData:
    """The state of the data, the current forecast and the last measured hour.

    ``forecast`` has every hour of the current forecast, past ones too. ``last_g_per_kwh`` is the value
    of the last measured hour, None before the first measurement. ``scale`` is that of the last 30 days,
    None while there are too few hours. ``far_error`` is what the forecast missed by so far, None where no
    lead of more than two days was scored. ``outlooks`` are those of all areas, by name.
    """

    state: DataState
    forecast: tuple[ForecastHour, ...]
    last_g_per_kwh: float | None
    scale: Scale | None
    far_error: TypicalError | None = None
    outlooks: Mapping[str, Outlook] = field(default_factory=dict)

    @classmethod
    def read(cls, view: View | None, state: DataState) -> Self:
        """Return the data of the snapshot in ``view``; without a view there is nothing but the state."""
        if view is None:
            return cls(state, (), None, None)
        forecast = tuple(forecast_hours(queries.current_forecast(view, state.area.name)))
        measured = measured_last_month(view, state)
        return cls(
            state,
            forecast,
            measured[-1] if measured else None,
            scale_of(measured),
            typical_error(view, state.area.name),
            outlooks(view, state),
        )

    @property
    def now_utc(self) -> datetime:
        return self.state.now_utc

    @property
    def coming(self) -> tuple[ForecastHour, ...]:
        """The hours of the forecast from the current hour on."""
        this_hour = hour_containing(self.now_utc)
        return tuple(hour for hour in self.forecast if hour.start_utc >= this_hour)

    @property
    def headline(self) -> tuple[ForecastHour, ...]:
        """The first of the coming hours: those that the page shows one by one."""
        return self.coming[:HEADLINE_HOURS]

    @property
    def this_hour(self) -> ForecastHour | None:
        """The forecast of the current hour."""
        first = self.coming[0] if self.coming else None
        return first if first and first.start_utc == hour_containing(self.now_utc) else None

    @property
    def forecast_end_utc(self) -> datetime:
        """The end of the last hour of the forecast, which must have an hour."""
        return self.forecast[-1].start_utc + HOUR
