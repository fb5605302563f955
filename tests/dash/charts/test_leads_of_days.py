"""Charts of three days: levels and marks of the forecast, and past forecasts a day of leads at a time."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from co2_assets.advice.intensity_scale import STEPS
from co2_assets.contracts.time import hour_containing
from co2_dash.advice.window_choice import FORECAST_END
from co2_dash.charts import forecast, outcomes, scores
from co2_dash.charts.all_charts import rows_of
from co2_dash.charts.outcome_choices import chosen_lead, chosen_leads
from co2_dash.charts.scores import lead_ticks
from co2_dash.charts.time_axis import DanishAxis
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, state_of
from tests.support.pages_server import now

HOUR = timedelta(hours=1)


@pytest.fixture
def state(far_view: View) -> DataState:
    return state_of(far_view, now())


def drawn(view: View, state: DataState, **options: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = rows_of(forecast.FORECAST, view, state, options)
    return rows, forecast.forecast_figure(rows, state, options, "light")


@pytest.mark.parametrize(("hours", "span"), [("24", 24), ("48", 48), ("72", 71), ("7", 24), ("", 24)])
def test_the_chart_has_a_day_before_and_the_hours_chosen_after_now(
    far_view: View, state: DataState, hours: str, span: int
) -> None:
    rows, _ = drawn(far_view, state, hours=hours)
    this_hour = hour_containing(now())
    assert list(rows["hour_utc"]) == list(pd.date_range(this_hour - 24 * HOUR, periods=24 + span, freq="h"))


def test_every_hour_to_come_has_the_colour_of_its_level(far_view: View, state: DataState) -> None:
    rows, figure = drawn(far_view, state, hours="72")
    (strip,) = [trace for trace in figure["data"] if trace["type"] == "bar"]
    ahead = rows[rows["hour_utc"] >= hour_containing(now())]
    colours = {step.word: step.light for step in STEPS}
    assert strip["customdata"] == list(ahead["level"])
    assert strip["marker"]["color"] == [colours[word] for word in ahead["level"]]
    assert len(strip["x"]) == 71
    nothing_measured = replace(state, measured_until_utc=None)
    _, figure = drawn(far_view, nothing_measured, hours="72")
    assert not [trace for trace in figure["data"] if trace["type"] == "bar"]


def frame_of(figure: dict[str, Any]) -> dict[str, Any] | None:
    frames = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    return frames[0] if frames else None


def texts(figure: dict[str, Any]) -> list[str]:
    return [label["text"] for label in figure["layout"]["annotations"]]


def test_the_cleanest_time_is_framed_only_where_it_is_shown(far_view: View, state: DataState) -> None:
    _, day = drawn(far_view, state, hours="24", duration="3", before="day")
    frame = frame_of(day)
    assert frame is not None
    assert (frame["x0"], frame["x1"]) == ("2024-06-02T10:00:00", "2024-06-02T13:00:00")
    assert "cleanest 3 hours" in texts(day)
    rows, whole = drawn(far_view, state, hours="72", duration="8", before=FORECAST_END)
    advised = rows[rows["cleanest_time"].notna()]
    frame = frame_of(whole)
    assert frame is not None
    assert len(advised) == 8
    axis = DanishAxis.over(rows["hour_utc"])
    assert frame["x0"] == axis.place(advised["hour_utc"].iloc[0].to_pydatetime())
    if advised["hour_utc"].iloc[-1] >= pd.Timestamp(hour_containing(now()) + 24 * HOUR):
        assert frame_of(drawn(far_view, state, hours="24", duration="8", before=FORECAST_END)[1]) is None


def test_a_window_that_begins_now_is_framed_from_now(far_view: View, state: DataState) -> None:
    soon = (hour_containing(now()) + 2 * HOUR).isoformat()
    _, figure = drawn(far_view, state, hours="24", duration="1", before=soon)
    frame = frame_of(figure)
    assert frame is not None
    begin, end = (datetime.fromisoformat(frame[name]) for name in ("x0", "x1"))
    assert end - begin == HOUR
    assert now() <= begin - 2 * HOUR


def test_where_it_gets_rough_is_marked_with_the_third_day(far_view: View, state: DataState) -> None:
    assert "rough" in texts(drawn(far_view, state, hours="72")[1])
    for hours in ("24", "48"):
        assert "rough" not in texts(drawn(far_view, state, hours=hours)[1])


def test_each_danish_midnight_is_a_line() -> None:
    axis = DanishAxis(datetime(2024, 10, 26, 12), datetime(2024, 10, 28, 12))
    assert axis.midnights() == [datetime(2024, 10, 26, 22), datetime(2024, 10, 27, 23)]
    summer = DanishAxis(datetime(2024, 6, 1, 22, 30), datetime(2024, 6, 2, 21))
    assert summer.midnights() == []


def test_coverage_is_counted_by_ranges_of_leads(far_view: View, state: DataState) -> None:
    options = {"period": "30 d", "kind": "live"}
    rows = rows_of(scores.CALIBRATION, far_view, state, options)
    assert list(rows["leads"]) == ["1–6 h", "7–12 h", "13–24 h", "25–48 h", "49–72 h"]
    figure = scores.calibration_figure(rows, state, options, "light")
    bars = figure["data"]
    assert len(bars) == len({bar["marker"]["color"] for bar in bars}) == 5


def test_the_errors_of_all_leads_have_few_ticks(far_view: View, state: DataState) -> None:
    options = {"period": "30 d", "kind": "live"}
    rows = rows_of(scores.LEADS, far_view, state, options)
    figure = scores.lead_figure(rows, state, options, "light")
    assert figure["data"][-1]["x"] == list(range(1, 73))
    assert figure["layout"]["xaxis"]["tickvals"] == [1, 12, 24, 36, 48, 60, 72]
    assert lead_ticks(24) == [1, 3, 6, 9, 12, 15, 18, 21, 24]
    assert lead_ticks(36)[-1] == 36


@pytest.mark.parametrize(
    ("sent", "leads"),
    [
        ("1-24", (1, 24)),
        ("49-72", (49, 72)),
        ("60", (60, 60)),
        ("73", (1, 24)),
        ("all", (1, 24)),
        (None, (1, 24)),
        (["60"], (1, 24)),
    ],
)
def test_a_day_of_leads_or_one_lead_is_chosen(sent: object, leads: tuple[int, int]) -> None:
    assert chosen_leads({"lead": sent}) == leads
    assert chosen_lead({"lead": sent}) == (leads[0] if leads[0] == leads[1] else None)


def test_only_the_chosen_leads_are_read(far_view: View, state: DataState) -> None:
    sizes = {}
    for lead in ("1-24", "25-48", "49-72", "60"):
        rows = rows_of(outcomes.OUTCOMES, far_view, state, {"period": "7 d", "kind": "live", "lead": lead})
        known = rows.dropna(subset=["q50_g_per_kwh"])
        first, last = chosen_leads({"lead": lead})
        assert known["lead_hours"].between(first, last).all()
        sizes[lead] = len(known)
    assert max(sizes.values()) <= 7 * 4 * 24
    every = queries.outcomes(far_view, "DK", "live", now() - 7 * 24 * HOUR, now())
    assert set(every["lead_hours"]) == set(range(1, 73))
