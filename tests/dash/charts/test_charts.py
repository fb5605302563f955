"""What the charts and tables show: only hours that were measured, and headings that say what a number is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from typing import Any, cast

import duckdb
import pandas as pd
import pytest

from co2_assets.contracts.time import hour_containing
from co2_dash.charts import emissions, forecast, outcomes, scores, tables, training
from co2_dash.charts.all_charts import CHARTS_AND_TABLES, csv_of, fingerprint, rows_of
from co2_dash.charts.chart import Chart, DataTable
from co2_dash.charts.style import broken_line, unbroken
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, state_of
from co2_dash.pages import emissions as emissions_page
from co2_dash.pages import models as models_page
from co2_dash.pages.data_table import decimals_of, grid, heading_of, ordered, page_of
from tests.support import snapshot_data
from tests.support.pages_server import now

NOW = now()

HOUR = timedelta(hours=1)
# Within the last day before the snapshot. The hour between the last two is measured, with no measured hour
# beside it.
MISSING = tuple(datetime(2024, 6, 1, hour) for hour in (4, 5, 7))
ALONE = datetime(2024, 6, 1, 6)


class WithGaps:
    """A view in which some hours were not measured."""

    def __init__(self, view: View, hours: Sequence[datetime]) -> None:
        self.view, self.hours = view, hours

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        rows = self.view.frame(sql, parameters)
        for column in ("hour_utc", "target_hour_utc"):
            has_measurements = "actual_g_per_kwh" in rows or "FROM aggregated_data" in sql
            if has_measurements and column in rows:
                rows = rows[~rows[column].isin(self.hours)].reset_index(drop=True)
        return rows


@pytest.fixture
def state(view: View) -> DataState:
    return state_of(view, now())


@pytest.fixture
def gappy(view: View) -> View:
    return cast("View", WithGaps(view, MISSING))


def drawn(chart: Chart, view: View, state: DataState, **options: str) -> tuple[pd.DataFrame, list[Any]]:
    rows = rows_of(chart, view, state, options)
    return rows, chart.figure(rows, state, options, "light")["data"]


def on_axis(hour: datetime) -> str:
    """The position of the middle of an hour on an axis in Danish summer time."""
    return (hour + 2.5 * HOUR).isoformat(timespec="seconds")


def test_runs_are_found_and_a_single_value_gets_a_point() -> None:
    assert unbroken([False, True, True, False, True]) == [slice(1, 3), slice(4, 5)]
    assert unbroken([]) == []
    assert broken_line([1.0, 2.0, None, 3.0], "red")["marker"]["size"] == [0, 0, 0, 5]
    assert broken_line([1.0, 2.0, None], "red") == {
        "mode": "lines",
        "y": [1.0, 2.0, None],
        "connectgaps": False,
    }


def test_an_hour_that_was_not_measured_is_neither_filled_nor_bridged(gappy: View, state: DataState) -> None:
    _, traces = drawn(emissions.INTENSITY, gappy, state)
    times, runs = traces[0], traces[1:]
    assert len(runs) == 3
    assert all(trace["fill"] == "tozeroy" and None not in trace["y"] for trace in runs)
    places = {place for trace in runs for place in trace["x"]}
    assert not places & {on_axis(hour) for hour in MISSING}
    assert on_axis(ALONE) in runs[1]["x"]
    assert len(set(runs[1]["x"])) == 3
    said = dict(zip(times["x"], times["customdata"], strict=True))
    assert said[on_axis(MISSING[0])] == "06:00–07:00 CEST · 04:00–05:00 UTC · no measurement"
    assert said[on_axis(ALONE)] == "08:00–09:00 CEST · 06:00–07:00 UTC"


def test_production_that_was_not_measured_does_not_fall_to_zero(gappy: View, state: DataState) -> None:
    rows, traces = drawn(emissions.PRODUCTION, gappy, state)
    stacked = [trace for trace in traces if "stackgroup" in trace]
    assert len(rows) == 24
    assert len({trace["stackgroup"] for trace in stacked}) == 6
    for trace in stacked:
        assert None not in trace["y"]
        assert not set(trace["x"]) & {on_axis(hour) for hour in MISSING}
    # All traces of a stack have the same hours, or plotly would fill in zeros.
    for group in {trace["stackgroup"] for trace in stacked}:
        assert len({tuple(trace["x"]) for trace in stacked if trace["stackgroup"] == group}) == 1


def test_an_hour_that_lacks_one_kind_of_production_has_no_sum(view: View, state: DataState) -> None:
    rows = rows_of(emissions.PRODUCTION, view, state, {})
    rows.loc[5, "solar_mw"] = None
    stacked = emissions.production_figure(rows, state, {}, "light")["data"]
    gap = on_axis(rows["hour_utc"][5].to_pydatetime())
    assert not any(gap in trace["x"] for trace in stacked if "stackgroup" in trace)


def test_the_forecast_stands_after_24_whole_hours_broken_where_nothing_was_measured(
    gappy: View, state: DataState
) -> None:
    rows, traces = drawn(forecast.FORECAST, gappy, state)
    hours = list(rows["hour_utc"])
    assert hours == list(pd.date_range(hours[0], hours[-1], freq="h"))
    assert hours[0] == hour_containing(now()) - 24 * HOUR
    measured = next(trace for trace in traces if trace.get("name") == "Measured")
    values = dict(zip(measured["x"], measured["y"], strict=True))
    assert [values[on_axis(hour)] for hour in MISSING] == [None, None, None]
    assert measured["marker"]["size"][measured["x"].index(on_axis(ALONE))] > 0
    assert measured["connectgaps"] is False


def test_the_24_hours_stand_though_the_oldest_were_not_measured(view: View, state: DataState) -> None:
    start = hour_containing(now()) - 24 * HOUR
    late = cast("View", WithGaps(view, [start + n * HOUR for n in range(5)]))
    assert rows_of(forecast.FORECAST, late, state, {})["hour_utc"][0] == start


def test_an_archive_of_old_data_is_not_called_empty(view: View, state: DataState) -> None:
    later = replace(state, now_utc=now() + timedelta(days=3))
    assert rows_of(forecast.FORECAST, view, later, {}).empty
    assert "no forecast reaches this far" in forecast.FORECAST.why_empty(later)
    assert "yet" in forecast.FORECAST.why_empty(DataState(now()))


def test_the_hover_begins_with_the_time(view: View, state: DataState) -> None:
    # Plotly lists the traces from the last to the first where they are stacked or filled to each other.
    for chart, place in (
        (forecast.FORECAST, -1),
        (emissions.PRODUCTION, -1),
        (emissions.INTENSITY, 0),
        (outcomes.OUTCOMES, 0),
    ):
        traces = drawn(chart, view, state)[1]
        downwards = any("stackgroup" in trace or trace.get("fill") == "tonexty" for trace in traces)
        assert downwards is (place == -1)
        assert traces[place]["hovertemplate"] == "%{customdata}<extra></extra>"


def test_one_lead_is_compared_with_every_measured_hour(gappy: View, state: DataState) -> None:
    rows, traces = drawn(outcomes.OUTCOMES, gappy, state, lead="3", period="7 d", kind="live")
    truth = next(trace for trace in traces if trace.get("name") == "Measured")
    said = next(trace for trace in traces if trace.get("name") == "Forecast with its 80 % band")
    assert len(said["x"]) == 28 - sum(hour.hour % 6 == 2 for hour in MISSING)
    assert len(truth["x"]) == (rows["target_hour_utc"].max() - rows["target_hour_utc"].min()) / HOUR + 1
    values = dict(zip(truth["x"], truth["y"], strict=True))
    assert [place for place, value in values.items() if value is None] == [on_axis(h) for h in MISSING]
    # Nothing was forecast for the hours between, so nothing is drawn there.
    assert said["mode"] == "markers"
    assert rows["q50_g_per_kwh"].count() == len(said["x"])
    assert rows["error_g_per_kwh"].count() == len(said["x"])


class OneTable:
    """A view of forecasts made by a test."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.connection = duckdb.connect()
        self.connection.register("prediction_outcomes", rows)

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        return self.connection.execute(sql, list(parameters)).df()


def test_energinet_is_compared_with_ours_on_its_own_hours(state: DataState) -> None:
    hours = [datetime(2024, 5, 30, hour) for hour in range(3)]
    made = pd.DataFrame(
        {
            "price_area": "DK",
            "series": "live",
            "lead_hours": 1,
            "target_hour_utc": hours,
            "actual_g_per_kwh": 100.0,
            "q50_g_per_kwh": [101.0, 101.0, 140.0],
            "persistence_g_per_kwh": 110.0,
            "energinet_prognosis_g_per_kwh": [None, None, 120.0],
        }
    )
    view = cast("View", OneTable(made))
    rows, traces = drawn(scores.LEADS, view, state, kind="live")
    row = rows.iloc[0]
    assert row["mae_g_per_kwh"] == 14
    assert (row["n_forecasts"], row["n_prognosis"]) == (3, 1)
    assert (row["prognosis_mae_g_per_kwh"], row["mae_with_prognosis_g_per_kwh"]) == (20, 40)
    assert "This forecast, on Energinet’s hours" in [trace["name"] for trace in traces]
    whole = cast("View", OneTable(made.assign(energinet_prognosis_g_per_kwh=120.0)))
    names = [trace["name"] for trace in drawn(scores.LEADS, whole, state, kind="live")[1]]
    assert names == ["Persistence", "Energinet", "This forecast"]


def words_of(part: Any) -> str:
    """All text within a component."""
    if part is None or isinstance(part, str | int | float):
        return str(part or "")
    children = part if isinstance(part, list) else getattr(part, "children", None)
    return " ".join(map(words_of, children)) if isinstance(children, list) else words_of(children)


def test_the_champion_has_the_scores_of_its_test_evaluation(view: View, state: DataState) -> None:
    rows = rows_of(tables.EVALUATIONS, view, state, {})
    test = rows[(rows["kind"] == "test") & (rows["leads"] == "1–6")].iloc[0]
    said = words_of(models_page.champion_parts(view, state))
    assert f"Test error, leads 1–6 {test['mae_g_per_kwh']:.1f} g CO₂/kWh" in said
    assert f"Test accuracy, leads 1–6 {test['accuracy_percent']:.1f} %" in said
    assert f"{100 * test['skill_persistence']:.0f} % less error than its" in said
    assert f"Inside its 80 % band {test['coverage_80_percent']:.0f} %" in said
    assert "Each network is validated on a block of its own" in said
    assert snapshot_data.CHAMPION in said


def test_the_share_of_sun_and_wind_is_of_the_area_that_is_shown(view: View) -> None:
    state = state_of(view, now())
    assert f"of what {state.area.title} produced" in words_of(emissions_page.tile_parts(view, state, "24 h"))


def test_why_there_is_no_production_depends_on_the_area(view: View) -> None:
    country, west = state_of(view, now()), state_of(view, now(), "DK1")
    assert emissions.PRODUCTION.why_empty(country) == "No production was measured in these hours."
    assert "whole of Denmark only" in emissions.PRODUCTION.why_empty(west)
    assert rows_of(emissions.PRODUCTION, view, west, {}).empty


@pytest.mark.parametrize("table", CHARTS_AND_TABLES.values(), ids=list(CHARTS_AND_TABLES))
def test_every_chart_has_the_columns_it_declares_with_rows_and_without(
    table: DataTable, view: View, state: DataState
) -> None:
    rows = rows_of(table, view, state, {})
    assert len(rows)
    assert tuple(rows) == table.columns
    assert set(table.shown_first) <= set(table.columns)
    header = csv_of(rows_of(table, None, DataState(now()), {}), DataState(now())).splitlines()
    assert header == [",".join([*table.columns, "data_source"])]


def test_a_downloaded_forecast_says_when_and_by_which_model_it_was_issued(
    view: View, state: DataState
) -> None:
    text = csv_of(rows_of(forecast.FORECAST, view, state, {}), state)
    rows = pd.read_csv(StringIO(text)).dropna(subset=["q50_g_per_kwh"])
    assert set(rows["issue_time_utc"]) == {"2024-06-01T12:00:00Z"}
    assert set(rows["model_version"]) == {snapshot_data.CHAMPION}
    assert rows["lead_hours"].tolist() == list(range(1, 25))


@pytest.mark.parametrize("table", CHARTS_AND_TABLES.values(), ids=list(CHARTS_AND_TABLES))
def test_every_heading_is_in_words(table: DataTable) -> None:
    for column in table.columns:
        words = heading_of(column).replace("(", " ").replace(")", " ").lower().split()
        assert not {"mae", "rmse", "mse", "mape", "co2", "n", "q50", "r2", "gt", "json"} & set(words), column
        if column.endswith(("_g_per_kwh", "_percent", "_mw")):
            assert heading_of(column)[-1] == ")", column


def test_the_numbers_of_a_column_have_equally_many_places(view: View, state: DataState) -> None:
    shown = grid(tables.EVALUATIONS, rows_of(tables.EVALUATIONS, view, state, {}), state.now_utc)
    formats = {column["field"]: column.get("valueFormatter", {}) for column in shown.columnDefs}
    assert ",.1f" in formats["mae_g_per_kwh"]["function"]
    assert formats["n_hours"] == {}
    assert [decimals_of(name) for name in ("training_loss", "skill_persistence", "solar_mw")] == [3, 2, 0]


@pytest.mark.parametrize(
    ("table", "first"),
    [
        (forecast.FORECAST, ["hour_danish", "measured_g_per_kwh", "q50_g_per_kwh"]),
        (tables.EVALUATIONS, ["kind", "leads", "mae_g_per_kwh"]),
        (tables.MODELS, ["decision", "reason"]),
        (tables.FRESHNESS, ["dataset", "state"]),
    ],
    ids=lambda value: value.key if isinstance(value, DataTable) else "",
)
def test_a_table_begins_with_what_it_is_about(table: DataTable, first: list[str]) -> None:
    assert ordered(table, table.columns)[: len(first)] == first


def test_danish_times_in_a_table_tell_the_repeated_hour_apart() -> None:
    hours = ["2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00"]
    rows = pd.DataFrame({"hour_danish": hours, "co2_g_per_kwh": 1.0})
    shown = [row["hour_danish"] for row in grid(emissions.INTENSITY, rows, NOW).rowData]
    assert shown == ["2024-10-27 02:00 +02:00", "2024-10-27 02:00 +01:00"]
    assert grid(emissions.INTENSITY, rows[:1], NOW).rowData[0]["hour_danish"] == "2024-10-27 02:00"


@pytest.mark.parametrize(("hours_later", "page"), [(-50, 0), (9, 0), (10, 1), (25, 2), (500, 3)])
def test_a_table_of_hours_opens_at_now(hours_later: int, page: int) -> None:
    rows = pd.DataFrame({"hour_utc": pd.date_range(NOW.replace(minute=0), periods=35, freq="h")})
    now = NOW + timedelta(hours=hours_later)
    assert page_of(rows, now) == page
    # Others begin with what is newest.
    assert page_of(rows[::-1], now) == 0
    assert page_of(rows.rename(columns={"hour_utc": "fetched_at_utc"}), now) == 0
    assert page_of(rows[:0], now) == 0


def test_a_fingerprint_changes_with_the_rows_and_with_what_stands_beside_them() -> None:
    rows = pd.DataFrame({"a": [1.0, None], "b": ["x", None]})
    assert fingerprint(rows, "light") == fingerprint(rows.copy(), "light")
    others = [
        fingerprint(rows, "dark"),
        fingerprint(rows.rename(columns={"a": "c"}), "light"),
        fingerprint(rows.fillna({"a": 2.0}), "light"),
        fingerprint(rows[:1], "light"),
        fingerprint(rows[:0], "light"),
    ]
    assert len({fingerprint(rows, "light"), *others}) == 6


def test_persistence_of_live_and_later_forecasts_has_different_marks(view: View, state: DataState) -> None:
    traces = drawn(training.MONTHLY, view, state)[1]
    marks = {(trace["name"], trace["marker"]["symbol"]) for trace in traces if "persistence" in trace["name"]}
    assert marks == {
        ("persistence on the same hours (issued live, every six hours)", "x-thin-open"),
        ("persistence on the same hours (issued afterwards)", "cross-thin-open"),
    }


def test_a_kind_of_forecast_that_the_pages_do_not_know_is_drawn_all_the_same(
    view: View, state: DataState
) -> None:
    rows = queries.monthly_accuracy(view, "DK").assign(series="tried")
    traces = training.monthly_figure(rows, state, {}, "light")["data"]
    assert traces[0]["name"].endswith("(tried)")


def test_the_models_to_choose_from_have_names_that_fit_a_phone(view: View, state: DataState) -> None:
    choices = dict(models_page.model_choices(view, state))
    assert choices[snapshot_data.CHAMPION] == "Champion, trained 2024-04-15 13:00 UTC"
    assert choices[snapshot_data.REJECTED].startswith("Rejected, trained 2024-05-20")
