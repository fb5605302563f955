"""The texts, times and colours that a reader sees in every state."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from co2_assets.advice.intensity_scale import STEPS, Step, scale_of
from co2_assets.contracts import DATASETS
from co2_assets.contracts.danish_time import (
    date_and_clock,
    day_and_clock,
    day_name,
    iso_danish,
    iso_utc,
    span,
)
from co2_assets.contracts.timetable import Timetable
from co2_assets.contracts.weather import WEATHER_ATTRIBUTION, WEATHER_ATTRIBUTION_URL
from co2_dash import pages
from co2_dash.charts.style import INKS, Ink
from co2_dash.charts.time_axis import DanishAxis
from co2_dash.data.notices import ATTRIBUTION, FEEDS, attribution, in_plain_words, notices, origin
from co2_dash.data.state import DataState
from co2_dash.pages.shell import attributions
from co2_dash.settings import Settings, from_environment

NOW = datetime(2024, 6, 1, 13, 23)
GOOD = DataState(
    now_utc=NOW,
    version="00000001-aaaaaaaa",
    source="live",
    as_of_utc=NOW,
    published_at_utc=NOW,
    issued_at_utc=datetime(2024, 6, 1, 12),
    model_version="m",
    measured_until_utc=datetime(2024, 6, 1, 13),
)


def named(state: DataState) -> list[str]:
    return [notice.name for notice in notices(state)]


def test_live_and_fresh_data_need_no_notice() -> None:
    assert named(GOOD) == []
    assert origin(GOOD) == "Live"
    assert GOOD.ready


@pytest.mark.parametrize(
    ("changes", "names", "badge"),
    [
        ({"source": "simulator"}, ["simulated"], "Simulated"),
        ({"replayed": True}, ["replayed"], "Replay"),
        ({"source": "archive"}, ["replayed"], "Replay"),
        ({"source": "archive", "replayed": True}, ["replayed"], "Replay"),
        ({"issued_at_utc": datetime(2024, 6, 1, 6)}, ["stale"], "Out of date"),
        ({"issued_at_utc": NOW + timedelta(hours=866)}, ["ahead"], "Ahead of the clock"),
        ({"as_of_utc": NOW + timedelta(hours=866)}, ["ahead"], "Ahead of the clock"),
        (
            {"source": "simulator", "replayed": True, "wall_clock_utc": NOW - timedelta(hours=866)},
            ["simulated", "ahead"],
            "Simulated",
        ),
        ({"issued_at_utc": None}, ["no-forecast"], "Live"),
        ({"degraded_causes": ("no prices",)}, ["degraded"], "Live"),
        # That it is old and was degraded follows from it.
        (
            {
                "has_ended": True,
                "issued_at_utc": datetime(2024, 5, 1),
                "measured_until_utc": datetime(2024, 5, 3),
                "degraded_causes": ("no prices",),
            },
            ["ended"],
            "Out of date",
        ),
        ({"version": "", "issued_at_utc": None, "measured_until_utc": None}, ["empty"], "No data yet"),
        (
            {"source": "simulator", "issued_at_utc": datetime(2024, 6, 1)},
            ["simulated", "stale"],
            "Simulated",
        ),
    ],
)
def test_every_state_has_its_own_notice(changes: dict[str, object], names: list[str], badge: str) -> None:
    state = replace(GOOD, **changes)  # type: ignore[arg-type]
    assert named(state) == names
    assert origin(state) == badge


def test_a_weather_that_is_switched_off_is_the_reason_named() -> None:
    causes = ("day_ahead_prices: missing", "weather_forecast: missing")
    (on,) = notices(replace(GOOD, degraded_causes=causes))
    assert on.text.endswith(": day-ahead prices: missing; weather forecast: missing.")
    (off,) = notices(replace(GOOD, degraded_causes=causes, weather_wanted=False))
    assert off.text.endswith(": day-ahead prices: missing; weather forecast: switched off (CO2_WEATHER=off).")


def test_a_reader_has_a_name_for_every_feed_and_made_up_numbers_have_no_owner() -> None:
    assert set(FEEDS) == {dataset.name for dataset in DATASETS}
    assert in_plain_words("model: m failed") == "model: m failed"
    assert "Energinet, www" not in attribution(replace(GOOD, source="simulator", rests_on_weather=True))


def test_a_forecast_of_a_time_that_has_not_come_is_not_ready() -> None:
    ahead = replace(GOOD, issued_at_utc=NOW + timedelta(hours=866))
    assert ahead.stale
    assert not ahead.ready
    assert "36 days ahead of the clock" in notices(ahead)[0].title
    # The clocks of two machines are never quite the same.
    assert replace(GOOD, issued_at_utc=NOW + timedelta(minutes=5), as_of_utc=NOW).ready


@pytest.mark.parametrize(
    ("timetable", "hours", "rhythm"),
    [(Timetable(), 2, "each hour"), (Timetable(hourly=False), 7, "every 6 hours")],
)
def test_a_forecast_is_stale_only_after_others_were_missed(
    timetable: Timetable, hours: int, rhythm: str
) -> None:
    six = replace(GOOD, issued_at_utc=datetime(2024, 6, 1, 6), as_of_utc=None, timetable=timetable)
    stale_at = timetable.stale_from(datetime(2024, 6, 1, 6))
    assert stale_at.hour == 6 + hours
    assert not replace(six, now_utc=stale_at - timedelta(minutes=1)).stale
    stale = replace(six, now_utc=stale_at)
    assert stale.stale
    assert f"due {rhythm}" in notices(stale)[0].text


def test_degraded_causes_are_named_one_by_one() -> None:
    text = notices(replace(GOOD, degraded_causes=("no prices", "no wind forecast")))[0].text
    assert "no prices; no wind forecast" in text


def test_the_weather_is_named_beside_energinet_where_a_forecast_rests_on_it() -> None:
    assert attributions(GOOD) == ["Danish power. ", ATTRIBUTION]
    assert attribution(GOOD) == ATTRIBUTION
    rests = replace(GOOD, rests_on_weather=True)
    assert attribution(rests) == f"{ATTRIBUTION} {WEATHER_ATTRIBUTION}."
    link = attributions(rests)[-1]
    assert (link.children, link.href) == (f"{WEATHER_ATTRIBUTION}.", WEATHER_ATTRIBUTION_URL)


def test_days_have_names() -> None:
    today = date(2024, 6, 1)
    named = [day_name(today + timedelta(days=n), today) for n in range(3)]
    assert named == ["Today", "Tomorrow", "Mon 3 Jun"]


def test_danish_time_keeps_both_hours_of_the_autumn_night_apart() -> None:
    first, second = datetime(2024, 10, 27, 0, 30), datetime(2024, 10, 27, 1, 30)
    assert iso_danish(first) == "2024-10-27T02:30:00+02:00"
    assert iso_danish(second) == "2024-10-27T02:30:00+01:00"
    assert date_and_clock(first) == "Sun 27 Oct 2024 02:30 CEST"
    assert iso_utc(first) == "2024-10-27T00:30:00Z"


def test_the_day_is_named_where_it_is_not_the_danish_today() -> None:
    assert day_and_clock(datetime(2024, 6, 1, 21), NOW) == "23:00"
    assert day_and_clock(datetime(2024, 6, 1, 22), NOW) == "00:00 tomorrow"
    assert day_and_clock(datetime(2024, 5, 31, 13), NOW) == "15:00 yesterday"
    assert day_and_clock(datetime(2024, 5, 20, 13), NOW) == "15:00 on Mon 20 May"


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "0 min"), (89, "89 min"), (90, "2 h"), (47 * 60, "47 h"), (72 * 60, "3 days")]
)
def test_durations_are_in_one_unit(minutes: int, words: str) -> None:
    assert span(timedelta(minutes=minutes)) == words


def test_an_axis_over_a_clock_change_runs_forward_and_tells_the_true_time() -> None:
    axis = DanishAxis(datetime(2024, 10, 26, 12), datetime(2024, 10, 27, 12))
    hours = [datetime(2024, 10, 26, 22) + timedelta(hours=h) for h in range(6)]
    places = axis.places(hours)
    assert places == sorted(set(places))
    ticks = dict(zip(axis.axis()["tickvals"], axis.axis()["ticktext"], strict=True))
    assert ticks[axis.place(datetime(2024, 10, 26, 22))] == "Sun 27 Oct"
    assert ticks[axis.place(datetime(2024, 10, 27, 5))] == "06:00"
    assert axis.zone == "CEST, then CET"


def test_an_ordinary_axis_leaves_its_ticks_to_the_zoom() -> None:
    assert "tickvals" not in DanishAxis(datetime(2024, 6, 1), datetime(2024, 6, 2)).axis()


@pytest.mark.parametrize(
    ("days", "labels"),
    [
        (1, ["18:00", "Sun 27 Oct", "06:00", "12:00"]),
        (7, ["22 Oct", "24 Oct", "26 Oct", "28 Oct"]),
        (30, ["29 Sep", "7 Oct", "15 Oct", "23 Oct"]),
    ],
)
def test_labels_of_an_axis_over_a_clock_change_fit_on_a_phone(days: int, labels: list[str]) -> None:
    last = datetime(2024, 10, 27, 12) if days == 1 else datetime(2024, 10, 28, 12)
    axis = DanishAxis(last - timedelta(days=days), last).axis()
    assert axis["ticktext"] == labels
    assert axis["tickangle"] == 0


def test_the_scale_parts_the_last_month_into_fifths() -> None:
    scale = scale_of([float(value) for value in range(100)])
    assert scale is not None
    assert [scale.step(value).word for value in (0, 30, 50, 70, 99)] == [step.word for step in STEPS]
    assert scale.percent_cleaner_than(24.5) == 75
    assert scale.place(-10) == 0
    assert scale.place(1000) == 1
    assert scale.place(scale.edges[1]) == pytest.approx(0.4)


@pytest.mark.parametrize("values", [[], [50.0] * 500, [float(value) for value in range(71)]])
def test_too_few_or_equal_hours_make_no_scale(values: list[float]) -> None:
    assert scale_of(values) is None


def test_settings_come_from_the_environment() -> None:
    settings = from_environment(
        {"CO2_SOURCE": "archive:/some/where", "CO2_API_KEYS": " a, b ,", "CO2_API_REQUESTS_PER_MINUTE": "5"}
    )
    assert (settings.source, settings.requests_per_minute) == ("archive", 5)
    assert settings.api_keys == {"a", "b"}
    assert from_environment({}) == Settings(settings.home)
    assert not from_environment({"CO2_WEATHER": "off"}).weather_wanted


@pytest.mark.parametrize(
    "environment",
    [
        {"CO2_SOURCE": "nowhere"},
        {"CO2_API_REQUESTS_PER_MINUTE": "0"},
        {"CO2_API_REQUESTS_PER_MINUTE": "x"},
        {"CO2_WEATHER": "perhaps"},
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(environment.values()))):
        from_environment(environment)


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("ink", INKS.values(), ids=list(INKS))
def test_text_and_lines_of_charts_stand_out(ink: Ink) -> None:
    for text in (ink.text, ink.faint, ink.mark):
        assert contrast(text, ink.ground) >= 4.5
    for line in (ink.forecast, ink.measured, ink.other, ink.third):
        assert contrast(line, ink.ground) >= 3


@pytest.mark.parametrize("ink", INKS.values(), ids=list(INKS))
def test_the_bands_stand_out_from_one_another_and_the_ground(ink: Ink) -> None:
    # The bands have no text, so it is enough that their ends are visible. The lines are tested above.
    for outer, inner in pairwise((ink.ground, *ink.bands)):
        assert contrast(outer, inner) >= 1.2
    assert contrast(ink.forecast, ink.bands[-1]) >= 2.5


@pytest.mark.parametrize("step", STEPS, ids=[step.word for step in STEPS])
def test_the_words_of_the_scale_can_be_read_on_their_colours(step: Step) -> None:
    assert contrast(step.ink, step.light) >= 4.5
    assert contrast(step.ink, step.dark) >= 4.5


def test_the_style_sheet_has_the_colours_of_the_scale() -> None:
    style = (Path(pages.__file__).parent.parent / "assets" / "pages.css").read_text(encoding="utf-8")
    for index, step in enumerate(STEPS):
        assert f"--step-{index}: {step.light}; --step-{index}-ink: {step.ink};" in style
        if step.dark != step.light:
            assert f"--step-{index}: {step.dark};" in style
