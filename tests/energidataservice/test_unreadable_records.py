"""A record that cannot be read costs its own row and nothing else."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import pytest

from co2_assets.contracts import (
    CO2_EMISSION,
    POWER_SYSTEM_RIGHT_NOW,
    UNREADABLE,
    BadRow,
    Dataset,
    ServiceName,
    datasets_of,
    split_rows,
)
from co2_assets.energidataservice.client import EnergiDataService
from co2_assets.http_service.errors import SchemaChanged, TruncatedResponse
from tests.support.scripted_service import Service, envelope, fetch, good_row, power_row, raw

Maker = Callable[..., EnergiDataService]

SOLAR = "solar_mw"
BAD_TIME = "2026-03-01T11:00:00"


def answer_of(records: list[Any]) -> httpx.Response:
    """Return an answer in which NaN and -Infinity stand without quotation marks."""
    text = json.dumps({"total": len(records), "records": records})
    return raw(text.replace('"NaN"', "NaN").replace('"-Infinity"', "-Infinity"))


def read(make_client: Maker, answer: httpx.Response, dataset: Dataset) -> tuple[pd.DataFrame, list[BadRow]]:
    return split_rows(dataset, fetch(make_client(Service(answer)), dataset))


@pytest.mark.parametrize(
    ("value", "shown", "reason"),
    [
        ("", "", "not a number"),
        ("93,5", "93,5", "not a number"),
        ("93.5", "93.5", "not a number"),
        ("NaN", "NaN", "not a number"),
        ("-Infinity", "-Infinity", "not a number"),
        (True, "True", "not a number"),
        ([1], "[1]", "not a number"),
        ({"value": 1}, "{'value': 1}", "not a number"),
        ("x" * 10_000, "x" * 100, "not a number"),
        ("half \ud800", "half \\ud800", "not a number"),
        ("absent", "absent", "missing"),
    ],
)
def test_a_number_that_is_none_costs_its_row(make_client: Maker, value: Any, shown: str, reason: str) -> None:
    bad_record = power_row(SolarPower=value, Minutes1UTC=BAD_TIME)
    good, bad = read(make_client, answer_of([power_row(), bad_record]), POWER_SYSTEM_RIGHT_NOW)
    assert good["minute_utc"].astype(str).tolist() == ["2026-03-01 10:00:00"]
    assert UNREADABLE not in good
    (row,) = bad
    assert (row.dataset, row.column, row.value) == (POWER_SYSTEM_RIGHT_NOW.name, SOLAR, shown)
    assert row.reason == f"cannot be read: {reason}"
    assert row.row_key == "price_area=DK, minute_utc=2026-03-01 11:00:00"
    # The rest of the row is kept, so that a person can release it without the value.
    received = json.loads(row.row_json)
    assert received[SOLAR] is None
    assert received["production_ge_100_mw"] == 89.99


@pytest.mark.parametrize("time", ["", None])
def test_no_time_is_a_missing_key(make_client: Maker, time: str | None) -> None:
    records = [power_row(), power_row(Minutes1UTC=time)]
    good, bad = read(make_client, answer_of(records), POWER_SYSTEM_RIGHT_NOW)
    assert len(good) == 1
    assert [(row.column, row.reason) for row in bad] == [("minute_utc", "the key is missing")]


@pytest.mark.parametrize(
    "time",
    ["yesterday", "2026-02-30T00:00:00", "2026-03-01T10:00:00+01:00", "2026-03-01T10:00-0030", 5, "absent"],
)
def test_a_time_that_is_none_costs_its_row(make_client: Maker, time: Any) -> None:
    records = [power_row(Minutes1UTC=time), power_row(), power_row(Minutes1UTC=BAD_TIME)]
    good, bad = read(make_client, answer_of(records), POWER_SYSTEM_RIGHT_NOW)
    assert good["minute_utc"].astype(str).tolist() == ["2026-03-01 10:00:00", "2026-03-01 11:00:00"]
    (row,) = bad
    assert row.column == "minute_utc"
    assert row.row_key == f"price_area=DK, minute_utc={time}"
    assert row.reason == f"cannot be read: {'missing' if time == 'absent' else 'not a UTC time'}"


@pytest.mark.parametrize("end", ["Z", "+00:00", "+0000", "-00:00", ".000Z", ".123456+00:00"])
def test_times_that_name_utc_are_read(make_client: Maker, end: str) -> None:
    for dataset in datasets_of(ServiceName.ENERGI_DATA_SERVICE):
        named = good_row(dataset, dataset.endpoints[-1].fields)
        times = {name: value for name, value in named.items() if name.endswith("UTC")}
        named |= {name: value + end for name, value in times.items()}
        plain = named | dict.fromkeys(times, "2026-03-01T11:00:00")
        for records in ([named], [named, plain]):
            frame = fetch(make_client(Service(envelope(records))), dataset)
            assert UNREADABLE not in frame
            assert str(frame[dataset.time_column].dtype) == "datetime64[us]"
            assert f"{frame[dataset.time_column].iloc[0]:%H:%M:%S}" == "10:00:00"


def test_a_name_that_is_no_text_costs_its_row(make_client: Maker) -> None:
    row = good_row(CO2_EMISSION, CO2_EMISSION.endpoints[0].fields)
    names = ["DK2", "DK\ud800", 7, None, "DK1"]
    good, bad = read(make_client, answer_of([row | {"PriceArea": n} for n in [*names, "DK1"]]), CO2_EMISSION)
    assert good["price_area"].tolist() == ["DK1", "DK2"]
    assert [(row.value, row.reason) for row in bad] == [
        ("DK\\ud800", "cannot be read: not valid text"),
        ("7", "cannot be read: not valid text"),
        ("nan", "the key is missing"),
    ]
    assert all(field.encode() for row in bad for field in (row.row_key, row.value, row.row_json))


def test_bytes_that_are_no_text_cost_their_row(make_client: Maker) -> None:
    row = good_row(CO2_EMISSION, CO2_EMISSION.endpoints[0].fields)
    content = json.dumps({"records": [row, row | {"PriceArea": "BAD"}]}).encode().replace(b"BAD", b"D\xc3")
    good, bad = read(make_client, httpx.Response(200, content=content), CO2_EMISSION)
    assert good["price_area"].tolist() == ["DK1"]
    assert [row.value for row in bad] == ["D\\udcc3"]


def test_an_integer_of_thousands_of_digits_costs_its_row(make_client: Maker) -> None:
    text = json.dumps({"records": [power_row(), power_row(SolarPower=-12345, Minutes1UTC=BAD_TIME)]})
    good, bad = read(make_client, raw(text.replace("-12345", "1" * 5000)), POWER_SYSTEM_RIGHT_NOW)
    assert len(good) == 1
    assert [row.reason for row in bad] == ["above 12000 MW"]


@pytest.mark.parametrize("record", [None, 5, "text", [1]])
def test_a_record_that_is_no_object_costs_itself(make_client: Maker, record: Any) -> None:
    good, bad = read(make_client, answer_of([power_row(), record]), POWER_SYSTEM_RIGHT_NOW)
    assert len(good) == 1
    assert {row.column for row in bad} == set(POWER_SYSTEM_RIGHT_NOW.endpoints[0].fields.values())
    assert {row.reason for row in bad} == {"cannot be read: missing"}


def test_what_is_wrong_in_columns_nobody_asked_for_is_no_matter(make_client: Maker) -> None:
    records = [power_row(Comment="\ud800", Other="NaN"), power_row(Minutes1UTC=BAD_TIME)]
    good, bad = read(make_client, answer_of(records), POWER_SYSTEM_RIGHT_NOW)
    assert (len(good), bad) == (2, [])


def test_an_answer_that_is_mostly_unreadable_is_an_error(make_client: Maker) -> None:
    text = [power_row(SolarPower="much")] * 3
    with pytest.raises(SchemaChanged, match="SolarPower holds str"):
        fetch(make_client(Service(answer_of([*text, power_row(), power_row()]))))
    with pytest.raises(TruncatedResponse, match="NaN is no number"):
        fetch(make_client(Service(answer_of([power_row(SolarPower="NaN")] * 2))))
    _, bad = read(make_client, answer_of([*text, *[power_row()] * 3]), POWER_SYSTEM_RIGHT_NOW)
    assert len(bad) == 3


def test_names_that_cannot_be_stored_are_escaped_in_the_error(make_client: Maker) -> None:
    row = power_row(SolarPower="absent") | {"Solar\ud800": 1.0}
    with pytest.raises(SchemaChanged, match=r"it holds .*Solar\\ud800") as caught:
        fetch(make_client(Service(answer_of([row]))))
    assert str(caught.value).encode()
