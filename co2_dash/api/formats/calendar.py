"""The cleanest stretch of each coming day as an iCalendar feed (RFC 5545, RFC 7986)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Query, Request
from icalendar import Calendar, Event, vDuration
from starlette.responses import Response

from co2_assets.advice.cleanest_window import ForecastHour, Stretch
from co2_assets.advice.days import STRETCH_HOURS, stretches
from co2_assets.advice.intensity_scale import Scale
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.danish_time import clock, danish, utc_of
from co2_assets.contracts.time import HOUR
from co2_dash.advice.last_month import last_month
from co2_dash.api.cached_response import answer
from co2_dash.api.formats.hours import known_hours
from co2_dash.api.parameters import AreaParameter, bounded
from co2_dash.api.problems import documented
from co2_dash.api.serialize import forecast_head, hours_to_come
from co2_dash.data.notices import UNIT, attribution
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

MEDIA_TYPE = "text/calendar"
# The longest that is left of a day for which its cleanest hours differ from the day itself.
LONGEST_HOURS = 12
REFRESHED_EACH = timedelta(hours=1)
_PROBLEMS = documented(401, 422, 429, 503)
router = APIRouter(prefix="/api/v1", tags=["formats of other tools"], responses=_PROBLEMS)


class CalendarResponse(Response):
    """Tells OpenAPI what kind of answer it is."""

    media_type = MEDIA_TYPE


StretchHours = Annotated[
    int, *bounded(1, LONGEST_HOURS), Query(description="Length of each stretch, whole hours.")
]


@router.get(
    "/cleanest-windows.ics",
    response_class=CalendarResponse,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)
async def calendar(
    request: Request, duration: StretchHours = STRETCH_HOURS, area_name: AreaParameter = DENMARK.name
) -> Response:
    """An event for the cleanest `duration` hours in a row of each Danish day, to subscribe to."""

    def build(view: View, state: DataState) -> bytes:
        head = forecast_head(state)
        midnight = utc_of(danish(state.now_utc).date())
        end = hours_to_come(view, state)[-1].start_utc + HOUR
        hours = [
            ForecastHour(hour.start_utc, hour.g_per_kwh, hour.g_per_kwh, hour.g_per_kwh)
            for hour in known_hours(view, state, midnight, end)
        ]
        scale = last_month(view, state)
        feed = _feed(state, duration)
        for stretch in cleanest_of_each_day(hours, state.now_utc, duration):
            feed.add_component(_event(stretch, state, duration, scale, head["issued_at"]))
        text: bytes = feed.to_ical()
        return text

    media_type = f"{MEDIA_TYPE}; charset=utf-8"
    return await answer(request, area_name, ("calendar", duration), build, media_type=media_type)


def cleanest_of_each_day(hours: Sequence[ForecastHour], now_utc: datetime, duration: int) -> list[Stretch]:
    """Return the cleanest stretch of each Danish day, and of what is left of it once that one is over.

    So an event that is under way stays where it is.
    """
    found = []
    for _, members in groupby(hours, key=lambda hour: danish(hour.start_utc).date()):
        of_day = stretches(list(members), duration)
        best = _cleanest(of_day)
        if best is not None and best.end_utc <= now_utc:
            best = _cleanest([stretch for stretch in of_day if stretch.start_utc > now_utc])
        if best is not None:
            found.append(best)
    return found


def _cleanest(found: Sequence[Stretch]) -> Stretch | None:
    return min(found, key=lambda stretch: (round(stretch.median, 6), stretch.start_utc), default=None)


def _feed(state: DataState, duration: int) -> Calendar:
    feed = Calendar()
    name = f"Cleanest {duration} h of power, {state.area.title}"
    feed.add("prodid", "-//CO2 in the socket//cleanest windows//EN")
    feed.add("version", "2.0")
    # The second name of each is what Apple's and Microsoft's calendars read.
    feed.add("name", name)
    feed.add("x-wr-calname", name)
    feed.add("refresh-interval", REFRESHED_EACH, parameters={"VALUE": "DURATION"})
    # The type is named because the library does not know this property, and would write 1:00:00.
    feed.add("x-published-ttl", vDuration(REFRESHED_EACH))
    return feed


def _event(
    stretch: Stretch, state: DataState, duration: int, scale: Scale | None, issued_at: datetime
) -> Event:
    made_up = "Made-up data: " if state.simulated else ""
    word = f", {scale.step(stretch.median).word.lower()}" if scale else ""
    day = danish(stretch.start_utc).date()
    event = Event()
    # The same for every forecast of a day, so that a calendar moves the event it has.
    event.add("uid", f"{day.isoformat()}-{state.area.name}-{duration}h@co2-in-the-socket")
    event.add("dtstamp", issued_at.replace(tzinfo=UTC))
    event.add("dtstart", stretch.start_utc.replace(tzinfo=UTC))
    event.add("dtend", stretch.end_utc.replace(tzinfo=UTC))
    event.add("summary", f"{made_up}Cleanest power, {stretch.median:.0f} {UNIT}{word}")
    event.add("description", _description(stretch, state, issued_at))
    # Not a time when its owner is busy.
    event.add("transp", "TRANSPARENT")
    return event


def _description(stretch: Stretch, state: DataState, issued_at: datetime) -> str:
    lines = [
        f"The cleanest time of the day to use power in {state.area.title}: "
        f"{clock(stretch.start_utc)} to {clock(stretch.end_utc)}, Danish time.",
        f"By the forecast of {clock(issued_at)}, {danish(issued_at):%d.%m.%Y}."
        + (" It is out of date." if state.stale else ""),
        attribution(state),
    ]
    return "\n".join(lines)
