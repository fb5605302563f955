"""CSV of every answer: by parameter or by Accept, with the same numbers as the JSON."""

import csv
import io
from typing import Any

import httpx
import pandas as pd
import pytest

from tests.dash.api.test_api import ENDPOINTS, V1, Client, refused

LISTS = ("hours", "leads", "days", "areas", "datasets", "scores")
# It lists the files that are tables themselves.
NO_TABLE = "/api/v1/record"


def table(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def flat(part: Any, prefix: str = "") -> dict[str, str]:
    """Return the values of a part of a JSON answer as a table has them."""
    found: dict[str, str] = {}
    for name, value in part.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}_")
        elif isinstance(value, list):
            found[f"{prefix}{name}"] = "; ".join(map(str, value))
        else:
            found[f"{prefix}{name}"] = "" if value is None else str(value)
    return found


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in ENDPOINTS if endpoint != NO_TABLE])
def test_a_table_has_every_value_of_the_answer(shared: httpx.Client, endpoint: str) -> None:
    answer = shared.get(endpoint).json()
    rows = table(shared.get(endpoint, params={"format": "csv"}))
    name = next((name for name in LISTS if name in answer), None)
    parts = [{}] if name is None else answer.pop(name)
    assert len(rows) == len(parts) > 0
    head = flat(answer)
    for row, part in zip(rows, parts, strict=True):
        own = flat(part)
        assert {column: row[column] for column in own} == own
        clash = {f"answer_{column}" if column in own else column: value for column, value in head.items()}
        missing_parts = {column: value for column, value in clash.items() if column in row}
        assert {column: row[column] for column in missing_parts} == missing_parts
        assert len(row) >= len(own) + len(head)


def test_the_origin_stands_in_every_row(shared: httpx.Client) -> None:
    rows = table(shared.get(f"{V1}/forecast?format=csv"))
    assert {row["origin_source"] for row in rows} == {"live"}
    assert all("Energinet" in row["origin_attribution"] for row in rows)
    assert list(rows[0])[:3] == ["hour", "lead_hours", "co2_g_per_kwh"]


def test_pandas_reads_it_by_its_address(shared: httpx.Client) -> None:
    path = str(shared.base_url.join(f"{V1}/history?format=csv"))
    frame = pd.read_csv(path, parse_dates=["hour"])
    assert len(frame) == 24
    assert frame["hour"].is_monotonic_increasing
    assert frame["co2_g_per_kwh"].notna().all()


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        ("text/csv", True),
        ("text/csv, */*;q=0.1", True),
        ("text/*, application/json;q=0.5", True),
        ("text/csv;q=0.5, application/json", False),
        ("text/csv, application/json", False),
        ("text/csv;q=0, */*", False),
        ("text/csv;q=x", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("", False),
    ],
)
def test_accept_decides_where_no_format_is_named(shared: httpx.Client, accept: str, is_csv: bool) -> None:
    answer = shared.get(f"{V1}/forecast", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/csv" if is_csv else "application/json")
    assert "Accept" in answer.headers["vary"].split(", ")
    named = shared.get(f"{V1}/forecast?format=json", headers={"Accept": accept})
    assert named.headers["content-type"] == "application/json"


def test_table_and_json_have_tags_of_their_own(shared: httpx.Client) -> None:
    plain, rows = shared.get(f"{V1}/forecast"), shared.get(f"{V1}/forecast?format=csv")
    assert plain.headers["etag"] != rows.headers["etag"]
    again = shared.get(f"{V1}/forecast?format=csv", headers={"If-None-Match": rows.headers["etag"]})
    assert again.status_code == 304


def test_an_error_stays_a_problem(shared: httpx.Client) -> None:
    refused(shared.get(f"{V1}/forecast?format=csv&hours=0"), 422)
    problem = refused(shared.get(f"{V1}/forecast?format=xml"), 422)
    assert problem["errors"][0]["parameter"] == "format"


def test_a_table_without_rows_keeps_its_columns(asked: Client) -> None:
    path = f"{V1}/history?format=csv&start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z"
    text = asked().get(path).text
    assert text.count("\n") == 1
    assert text.startswith("hour,co2_g_per_kwh,")
