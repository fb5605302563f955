"""The record of all live forecasts: nothing is missing in it, and its sums are those of its rows."""

import io
from datetime import timedelta

import httpx
import pandas as pd
import pytest

from co2_assets.contracts.areas import DENMARK
from co2_assets.warehouse.paths import Home
from co2_dash.data import record
from co2_dash.data.record import COLUMNS, SPANS, scores
from co2_dash.data.snapshot_store import View
from tests.support.pages_server import now

V1 = "/api/v1"
# Answers have three decimals.
ROUNDED = 1e-3


def months(client: httpx.Client) -> list[dict[str, object]]:
    answer = client.get(f"{V1}/record")
    assert answer.status_code == 200, answer.text
    assert answer.json()["licence"] == "CC BY 4.0"
    found: list[dict[str, object]] = answer.json()["months"]
    return found


def files(client: httpx.Client, month: dict[str, object]) -> tuple[pd.DataFrame, pd.DataFrame]:
    parquet, csv = (client.get(f"{V1}/{month[kind]}") for kind in ("parquet", "csv"))
    assert parquet.headers["content-type"] == "application/vnd.apache.parquet"
    assert csv.headers["content-type"].startswith("text/csv")
    # A Parquet file is compressed in itself.
    assert "content-encoding" not in parquet.headers
    assert csv.headers["content-encoding"] == "gzip"
    times = [name for name in COLUMNS if name.endswith("_utc")]
    as_csv = pd.read_csv(io.BytesIO(csv.content))
    for name in times:
        as_csv[name] = pd.to_datetime(as_csv[name], format="%Y-%m-%dT%H:%M:%SZ")
    return pd.read_parquet(io.BytesIO(parquet.content)), as_csv


def test_every_month_has_its_files_with_all_issues_and_outcomes(shared: httpx.Client) -> None:
    found = months(shared)
    assert found
    for month in found:
        parquet, csv = files(shared, month)
        assert list(parquet) == list(csv) == [*COLUMNS, "source"]
        assert len(parquet) == len(csv) == month["forecasts"]
        assert parquet["issued_at_utc"].nunique() == month["issues"]
        assert parquet["actual_g_per_kwh"].notna().sum() == month["with_outcome"]
        assert set(parquet["source"]) == {"live"}
        assert set(parquet["issued_at_utc"].dt.strftime("%Y-%m")) == {month["month"]}
        pd.testing.assert_frame_equal(parquet, csv.astype(parquet.dtypes), check_exact=True)


def test_the_columns_are_explained(shared: httpx.Client) -> None:
    described = shared.get(f"{V1}/record").json()["columns"]
    (month, *_) = months(shared)
    assert [column["name"] for column in described] == list(files(shared, month)[0])
    assert all(column["description"] for column in described)


def test_the_scorecard_says_what_the_rows_say(shared: httpx.Client) -> None:
    scores = shared.get(f"{V1}/scorecard").json()["scores"]
    rows = pd.concat([files(shared, month)[0] for month in months(shared)])
    rows = rows[rows["actual_g_per_kwh"].notna()]
    errors = (rows["actual_g_per_kwh"] - rows["q50_g_per_kwh"]).abs()
    first, last = SPANS[0]
    (headline,) = [s for s in scores if (s["window_days"], s["lead_from_hours"]) == (365, first)]
    own = rows["lead_hours"].between(first, last)
    assert headline["n_forecasts"] == own.sum()
    assert headline["mae_g_per_kwh"] == pytest.approx(errors[own].mean(), abs=ROUNDED)
    inside = rows["actual_g_per_kwh"].between(rows["q10_g_per_kwh"], rows["q90_g_per_kwh"])
    assert headline["coverage_80_percent"] == pytest.approx(100 * inside[own].mean(), abs=ROUNDED)
    persistence = (rows["actual_g_per_kwh"] - rows["persistence_g_per_kwh"]).abs()[own].mean()
    assert headline["skill_persistence"] == pytest.approx(
        1 - headline["mae_g_per_kwh"] / persistence, abs=ROUNDED
    )
    assert shared.get(f"{V1}/scorecard", headers={"Accept": "text/csv"}).text.startswith("window_days,")


def test_the_scores_of_an_hour_are_worked_out_once(
    published: Home, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = published.source("live")
    first = scores(folder, view, DENMARK.name, now())

    def again(*_: object) -> pd.DataFrame:
        raise AssertionError("asked again")

    monkeypatch.setattr(record, "query_all", again)
    later = now() + timedelta(minutes=1, microseconds=7)
    pd.testing.assert_frame_equal(scores(folder, view, DENMARK.name, later), first)


def test_each_file_is_documented_as_what_it_is(shared: httpx.Client) -> None:
    paths = shared.get("/openapi.json").json()["paths"]
    kinds = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv"}
    for ending, kind in kinds.items():
        answer = paths[f"{V1}/record/{{month}}.{ending}"]["get"]["responses"]["200"]
        assert list(answer["content"]) == [kind]


@pytest.mark.parametrize("month", ["2019-01", "2199-12"])
def test_a_month_without_an_issue_is_not_found(shared: httpx.Client, month: str) -> None:
    answer = shared.get(f"{V1}/record/{month}.parquet")
    assert answer.status_code == 404
    assert "/api/v1/record" in answer.json()["detail"]


@pytest.mark.parametrize("month", ["2024-13", "2024", "x", "2024-06-01", "1492-01"])
def test_what_is_no_month_is_refused(shared: httpx.Client, month: str) -> None:
    assert shared.get(f"{V1}/record/{month}.csv").status_code == 422
