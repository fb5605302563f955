"""Every coming hour by its level, and the coming days in short, as parts of the home page."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.advice.intensity_scale import STEPS
from co2_dash.advice.roughness import TypicalError
from co2_dash.advice.window_choice import FORECAST_END
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import state_of
from co2_dash.pages.home import chart_options, layout
from co2_dash.pages.home_data import HomeData
from co2_dash.pages.home_days import days_parts
from co2_dash.pages.home_hours import hours_answer, hours_parts
from tests.support.pages_server import now

HOUR = timedelta(hours=1)


@pytest.fixture
def data(far_view: View) -> HomeData:
    return HomeData.read(far_view, state_of(far_view, now()))


def parts_in(part: Any) -> Iterator[Any]:
    """Yield every component within parts, and every text."""
    if isinstance(part, list | tuple):
        for each in part:
            yield from parts_in(each)
    elif part is not None:
        yield part
        yield from parts_in(getattr(part, "children", None))


def of_class(part: Any, name: str) -> list[Any]:
    return [each for each in parts_in(part) if name in str(getattr(each, "className", "")).split()]


def cells(part: Any) -> list[Any]:
    """The cells of the hours, without those of the legend."""
    return [cell for cell in of_class(part, "hour-cell") if getattr(cell, "role", None) == "img"]


def words_of(part: Any) -> str:
    return " ".join(each for each in parts_in(part) if isinstance(each, str))


@pytest.mark.parametrize("span", [24, 48, 72])
def test_every_hour_of_the_span_has_its_level_in_colour_number_and_words(data: HomeData, span: int) -> None:
    shown = cells(hours_parts(data, span, "3", None))
    # The forecast is an hour old.
    assert len(shown) == min(span, 71)
    assert data.scale is not None
    for cell, hour in zip(shown, data.coming, strict=False):
        step = data.scale.step(hour.median)
        number = STEPS.index(step)
        assert f"step-{number}" in cell.className
        assert cell.children == str(number + 1)
        assert step.word.lower() in cell.title


def test_each_danish_day_has_a_row_and_each_hour_its_place_of_the_clock(data: HomeData) -> None:
    rows = of_class(hours_parts(data, 72, "3", None), "day-row")[1:]
    names = [words_of(of_class(row, "day-name")) for row in rows]
    assert names == ["Today", "Tomorrow", "Mon 3 Jun", "Tue 4 Jun"]
    assert [len(cells(row)) for row in rows] == [9, 24, 24, 14]
    first = of_class(rows[0], "hour-place")[0]
    assert first.style == {"gridColumn": "17"}
    assert "15:00–16:00" in words_of(first) + cells(first)[0].title


def test_the_hour_that_the_clock_repeats_has_a_place_with_the_first(data: HomeData) -> None:
    midnight = datetime(2024, 10, 26, 22)
    night = tuple(ForecastHour(midnight + n * HOUR, 50, 40, 60) for n in range(25))
    state = replace(data.state, now_utc=midnight, issued_at_utc=midnight)
    parts = hours_parts(replace(data, state=state, forecast=night), 48, "3", None)
    places = of_class(parts, "hour-place")
    assert [len(cells(place)) for place in places] == [1, 1, 2, *[1] * 21]
    assert len({place.style["gridColumn"] for place in places}) == 24


def test_the_cleanest_time_is_marked_where_it_is_shown(data: HomeData) -> None:
    def marked(span: int, duration: str, before: str | None) -> list[str]:
        parts = hours_parts(data, span, duration, before)
        best = [cell for cell in cells(parts) if "hour-best" in cell.className]
        assert all("in the cleanest time" in cell.title for cell in best)
        legend = words_of(of_class(parts, "level-legend"))
        assert ("The cleanest" in legend) is bool(best)
        return [cell.title[:5] for cell in best]

    assert marked(24, "3", None) == marked(72, "3", None) == ["10:00", "11:00", "12:00"]
    assert len(marked(72, "8", FORECAST_END)) == 8


def test_how_rough_the_third_day_is_stands_where_it_is_shown(data: HomeData) -> None:
    for span in (24, 48):
        assert "rough" not in words_of(hours_parts(data, span, "3", None))
    by_bands = words_of(hours_parts(data, 72, "3", None))
    assert "More than two days ahead this forecast is rough." in by_bands
    assert "wide on average" in by_bands
    scored = replace(data, far_error=TypicalError(15.2, 33.7, "live"))
    assert "missed by 34 g CO₂/kWh on average" in words_of(hours_parts(scored, 72, "3", None))


def test_without_a_scale_or_a_forecast_it_says_so(data: HomeData) -> None:
    bare = hours_parts(replace(data, scale=None), 24, "3", None)
    assert "Too few hours are measured" in words_of(bare)
    assert len(cells(bare)) == 24
    assert {cell.children for cell in cells(bare)} == {""}
    assert "no forecast" in words_of(hours_parts(replace(data, forecast=()), 24, "3", None))
    assert "No day has 3 hours" in words_of(days_parts(replace(data, forecast=())))


@pytest.mark.parametrize("sent", ["48", "25", "", None, "<b>", ["48", "72"], 48])
def test_the_address_chooses_the_hours_and_a_wrong_one_is_the_first_day(far_view: View, sent: object) -> None:
    page = layout(far_view, state_of(far_view, now()), hours=sent)
    span = 48 if sent == "48" else 24
    assert len(cells(page)) == span
    (control,) = [
        part for part in parts_in(page) if getattr(part, "id", None) == {"type": "choice", "name": "hours"}
    ]
    assert control.value == str(span)


def test_the_part_says_which_hours_it_is_for(data: HomeData) -> None:
    made = json.loads(getattr(hours_answer(data, "72", "3", None), "data-for"))
    assert made == {"area": "DK", '{"name":"hours","type":"choice"}': "72"}
    assert chart_options(data, 48) == {"hours": "48", "duration": "3", "before": "day"}


def test_each_day_names_its_cleanest_and_its_dirtiest_hours(data: HomeData) -> None:
    (listed,) = days_parts(data)
    names = [words_of(name) for name in of_class(listed, "day-list-name")]
    assert names == ["Today", "Tomorrow", "Mon 3 Jun", "Tue 4 Jun"]
    assert len(of_class(listed, "day-stretch")) == 8
    assert "10:00–13:00" in words_of(listed)
    # Only where it is not nearly sure.
    assert words_of(listed).count("Chance that the cleanest is really cleaner: about 8 in 10") == 1
