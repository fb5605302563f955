"""The calendar: whole by RFC 5545, read by two parsers, and steady from one forecast to the next."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from ical.calendar_stream import IcsCalendarStream
from icalendar import Calendar

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.contracts.danish_time import danish
from co2_assets.warehouse.paths import Home
from co2_dash.api.formats.calendar import cleanest_of_each_day
from tests.dash.api.test_api import V1, Client, refused
from tests.support import snapshot_data
from tests.support.pages_server import now

PATH = "/api/v1/cleanest-windows.ics"
HOUR = timedelta(hours=1)


def feed(client: httpx.Client, **params: str) -> Calendar:
    answer = client.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    found: Any = Calendar.from_ical(answer.content)
    return found


def test_lines_end_as_the_standard_says_and_are_short(shared: httpx.Client) -> None:
    content = shared.get(PATH).content
    assert content.endswith(b"\r\n")
    assert content.count(b"\n") == content.count(b"\r\n")
    assert max(map(len, content.split(b"\r\n"))) <= 75


def test_nothing_that_a_calendar_needs_is_missing(asked: Client, published_far: Home) -> None:
    found = feed(asked(published_far), area="DK1", duration="2")
    assert found["version"] == "2.0"
    assert found["prodid"]
    assert found["refresh-interval"].dt == HOUR
    assert found["refresh-interval"].params["VALUE"] == "DURATION"
    assert b"\r\nX-PUBLISHED-TTL:PT1H\r\n" in found.to_ical()
    assert len(found.events) == 4
    for event in found.events:
        assert event["uid"].endswith("-DK1-2h@co2-in-the-socket")
        assert event["dtstamp"].dt == datetime(2024, 6, 1, 12, tzinfo=UTC)
        assert event["dtend"].dt - event["dtstart"].dt == 2 * HOUR
        assert event["transp"] == "TRANSPARENT"
        assert "g CO₂/kWh" in event["summary"]
        assert "Energinet" in event["description"]
    assert len({event["uid"] for event in found.events}) == len(found.events)


def test_a_day_to_come_has_the_stretch_of_the_daily_summary(asked: Client, published_far: Home) -> None:
    client = asked(published_far)
    days = client.get(f"{V1}/daily-summary").json()["days"]
    events = {event["uid"][:10]: event for event in feed(client).events}
    for day in days[1:]:
        start = datetime.fromisoformat(day["cleanest"]["start"])
        assert events[day["date"]]["dtstart"].dt == start
        assert f"{day['cleanest']['median_g_per_kwh']:.0f} g" in events[day["date"]]["summary"]


def test_home_assistants_parser_reads_it(asked: Client, published_far: Home) -> None:
    text = asked(published_far).get(PATH).text
    found = IcsCalendarStream.calendar_from_ics(text)
    assert [event.dtend - event.dtstart for event in found.events] == [3 * HOUR] * len(found.events)
    assert [event.dtstart for event in found.events] == [
        event["dtstart"].dt for event in Calendar.from_ical(text).events
    ]


def test_made_up_data_say_so_in_every_event(asked: Client, tmp_path: Any, archive_dir: Any) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir, source="simulator")
    events = feed(asked(home, source="simulator")).events
    assert all(event["summary"].startswith("Made-up data: ") for event in events)


def test_a_calendar_need_not_fetch_what_it_has(shared: httpx.Client) -> None:
    tag = shared.get(PATH).headers["etag"]
    assert shared.get(PATH, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("duration", ["0", "13", "2.5", "long"])
def test_a_length_is_whole_hours_up_to_half_a_day(shared: httpx.Client, duration: str) -> None:
    refused(shared.get(PATH, params={"duration": duration}), 422)


def test_a_forecast_that_has_run_out_is_refused(asked: Client, published: Home) -> None:
    assert "run out" in refused(asked(published, lambda: now() + timedelta(days=5)).get(PATH), 503)["detail"]


def hours(value: Callable[[int], float]) -> list[ForecastHour]:
    """Return the hours of 1 June 2024, Danish time, by their Danish hour."""
    first = datetime(2024, 5, 31, 22)
    each = [first + number * HOUR for number in range(24)]
    return [ForecastHour(at, value(danish(at).hour), 0, 0) for at in each]


def test_an_event_under_way_stays_and_one_that_is_over_makes_room() -> None:
    # Cleanest from 14 to 16 o'clock, next from 20 to 22.
    of_day = hours(lambda hour: {14: 10, 15: 10, 20: 20, 21: 20}.get(hour, 50))

    def shown(danish_hour: float) -> list[int]:
        at = datetime(2024, 5, 31, 22) + danish_hour * HOUR
        return [danish(found.start_utc).hour for found in cleanest_of_each_day(of_day, at, 2)]

    assert [shown(hour) for hour in (0, 13, 15.5)] == [[14], [14], [14]]
    assert [shown(hour) for hour in (16, 19.9)] == [[20], [20]]
    assert shown(23.5) == []
