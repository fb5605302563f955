"""Parameters: every instant has an answer, and what an endpoint does not take is refused by name."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from co2_assets.contracts.time import EARLIEST_UTC, LATEST_UTC
from co2_dash.api.openapi import IN_ANOTHERS_SHAPE
from tests.dash.api.test_api import ENDPOINTS, V1, body, refused

Client = Callable[..., httpx.Client]
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EDGES = [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59), EARLIEST_UTC, LATEST_UTC]
# The interfaces of other services, which refuse in forms of their own.
OTHERS = tuple(f"{part.PREFIX}/" for part in IN_ANOTHERS_SHAPE)
INSTANTS = st.builds(
    lambda instant, zone: instant.replace(tzinfo=zone),
    st.datetimes() | st.sampled_from(EDGES) | st.datetimes(EARLIEST_UTC, LATEST_UTC),
    OFFSETS,
)
PAST_THE_CALENDAR = EDGES[0].replace(tzinfo=timezone(timedelta(hours=14)))


def with_instants(client: httpx.Client) -> list[tuple[str, str]]:
    """Return every endpoint with each of its parameters that is an instant."""
    found = []
    for path, item in client.get("/openapi.json").json()["paths"].items():
        if path.startswith(OTHERS):
            continue
        for parameter in item["get"].get("parameters", []):
            kinds = parameter["schema"].get("anyOf", [parameter["schema"]])
            if any(kind.get("format") == "date-time" for kind in kinds):
                found.append((path, parameter["name"]))
    return found


def is_allowed(instant: datetime) -> bool:
    return EARLIEST_UTC.replace(tzinfo=UTC) <= instant <= LATEST_UTC.replace(tzinfo=UTC)


@settings(max_examples=40, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(instant=INSTANTS, other=INSTANTS, duration=st.floats(0.25, 24))
@example(EDGES[0].replace(tzinfo=UTC), EDGES[1].replace(tzinfo=UTC), 24)
@example(PAST_THE_CALENDAR, EDGES[1].replace(tzinfo=timezone(-timedelta(hours=14))), 0.25)
def test_every_instant_has_an_answer(
    shared: httpx.Client, instant: datetime, other: datetime, duration: float
) -> None:
    asked = with_instants(shared)
    assert {path for path, _ in asked} >= {f"{V1}/history", f"{V1}/cleanest-window"}
    for path, name in asked:
        params: dict[str, str] = {name: instant.isoformat()}
        names = [parameter for where, parameter in asked if where == path]
        params |= {second: other.isoformat() for second in names if second != name}
        if path.endswith("cleanest-window"):
            params["duration"] = str(duration)
        answer = shared.get(path, params=params)
        assert answer.status_code in (200, 422), answer.text
        named = {error["parameter"]: error["message"] for error in answer.json().get("errors", [])}
        for parameter, sent in ((name, instant), *((second, other) for second in names if second != name)):
            assert (parameter in named) is not is_allowed(sent), params
        assert all("1970-01-01T00:00:00Z to 2200-01-01T00:00:00Z" in words for words in named.values())


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "/readyz"])
@pytest.mark.parametrize("unknown", ["startTime", "deadline", "formats", "PRICE_AREA", "price_area ", ""])
def test_an_unknown_parameter_is_named_with_those_there_are(
    shared: httpx.Client, endpoint: str, unknown: str
) -> None:
    problem = refused(shared.get(endpoint, params={unknown: "x"}), 422)
    assert [error["parameter"] for error in problem["errors"]] == [unknown]
    operation = shared.get("/openapi.json").json()["paths"][endpoint]["get"]
    allowed = [parameter["name"] for parameter in operation.get("parameters", [])]
    takes = ", ".join(allowed) if allowed else "no parameters"
    assert problem["errors"][0]["message"] == f"there is no such parameter; this endpoint takes {takes}"
    assert shared.head(endpoint, params={unknown: "x"}).status_code == 422


def test_a_parameter_given_twice_is_refused(shared: httpx.Client) -> None:
    for query, name in (
        ("price_area=DK&price_area=DK1", "price_area"),
        ("duration=3&duration=3", "duration"),
    ):
        problem = refused(shared.get(f"{V1}/cleanest-window?{query}"), 422)
        assert problem["errors"] == [{"parameter": name, "message": "is given 2 times; give it once"}]


def test_a_refusal_names_the_first_faults_and_sends_back_no_long_name(shared: httpx.Client) -> None:
    query = "&".join(f"{number}{'x' * 200}=1" for number in range(30))
    problem = refused(shared.get(f"{V1}/forecast?{query}"), 422)
    assert len(problem["errors"]) == 10
    assert len(str(problem)) < 3000


def test_the_area_has_two_names_and_one_value(shared: httpx.Client) -> None:
    for name in ("DK", "DK1", "DK2"):
        for params in ({"area": name}, {"price_area": name}, {"area": name, "price_area": name}):
            assert body(shared.get(f"{V1}/forecast", params=params))["price_area"] == name
    for params in ({"area": "DK1", "price_area": "DK2"}, {"area": "DK1", "price_area": "DK"}):
        problem = refused(shared.get(f"{V1}/forecast", params=params), 422)
        assert [error["parameter"] for error in problem["errors"]] == ["area"]
        assert "price_area" in problem["errors"][0]["message"]
    assert "there are DK, DK1, DK2" in str(refused(shared.get("/readyz?area=SE3"), 422))


def test_an_area_is_named_in_any_case_of_letters(shared: httpx.Client) -> None:
    for params in ({"area": "dk1"}, {"price_area": "dK1"}, {"area": "dk1", "price_area": "DK1"}):
        answer = shared.get(f"{V1}/forecast", params=params)
        assert body(answer)["price_area"] == "DK1"
        assert answer.headers["etag"] == shared.get(f"{V1}/forecast?area=DK1").headers["etag"]
    for wrong in ({"area": "dk1", "price_area": "dk2"}, {"area": ""}, {"price_area": ""}, {"area": "dk 1"}):
        refused(shared.get(f"{V1}/forecast", params=wrong), 422)


def test_every_endpoint_of_the_document_refuses_a_misspelt_area(shared: httpx.Client) -> None:
    paths = shared.get("/openapi.json").json()["paths"]
    for path in paths.keys() - {"/healthz"}:
        if path.startswith(OTHERS):
            continue
        problem = refused(shared.get(path, params={"ares": "DK1"}), 422)
        assert [error["parameter"] for error in problem["errors"]] == ["ares"]
        parameters = {parameter["name"]: parameter for parameter in paths[path]["get"].get("parameters", [])}
        if "area" in parameters:
            assert "this endpoint takes" in problem["errors"][0]["message"]
            assert "area" in problem["errors"][0]["message"]
            assert parameters["price_area"]["deprecated"]
            for name in ("area", "price_area"):
                assert parameters[name]["schema"]["enum"] == ["DK", "DK1", "DK2"]
                problem = refused(shared.get(path, params={name: "SE3"}), 422)
                assert "there are DK, DK1, DK2" in problem["errors"][0]["message"]


def test_pages_and_their_files_take_any_query(shared: httpx.Client) -> None:
    for path in ("/?area=DK1&utm_source=x&a=1&a=2", "/assets/pages.css?m=1700000000.0&v=2", "/healthz?x=1"):
        assert shared.get(path).status_code == 200


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("2024-06-02", "2024-06-01T22:00:00Z"),
        ("07:00", "2024-06-02T05:00:00Z"),
        ("23:30", "2024-06-01T21:30:00Z"),
        ("2024-06-02T07:00:00+02:00", "2024-06-02T05:00:00Z"),
    ],
)
def test_a_deadline_may_be_a_date_or_a_time_of_day_in_denmark(
    shared: httpx.Client, sent: str, meant: str
) -> None:
    assert body(shared.get(f"{V1}/cleanest-window", params={"before": sent}))["before"] == meant


def test_a_time_of_day_that_is_past_today_is_that_of_tomorrow(shared: httpx.Client) -> None:
    # It is 15:23 in Denmark.
    params = {"duration": "1", "before": "15:23"}
    assert body(shared.get(f"{V1}/cleanest-window", params=params))["before"] == "2024-06-02T13:23:00Z"
    for wrong in ("24:00", "07:60", "7", "7:00"):
        assert refused(shared.get(f"{V1}/cleanest-window", params={"before": wrong}), 422)


def test_a_day_of_history_is_a_danish_day(shared: httpx.Client) -> None:
    hours = body(shared.get(f"{V1}/history?start=2024-05-20&end=2024-05-21"))["hours"]
    assert (hours[0]["hour"], hours[-1]["hour"]) == ("2024-05-19T22:00:00Z", "2024-05-20T21:00:00Z")
    assert len(hours) == 24


def test_a_plus_that_was_not_escaped_is_named(shared: httpx.Client) -> None:
    problem = refused(shared.get(f"{V1}/history?start=2024-05-20T00:00:00+02:00"), 422)
    assert "write it as %2B" in problem["errors"][0]["message"]
    assert shared.get(f"{V1}/history?start=2024-05-20T00:00:00%2B02:00").status_code == 200


def test_the_intensity_has_one_name_and_the_median_one(shared: httpx.Client) -> None:
    forecast = body(shared.get(f"{V1}/forecast"))
    for hour in forecast["hours"]:
        assert hour["co2_g_per_kwh"] == hour["q50_g_per_kwh"]
        assert hour["word"] == hour["level"]
        assert hour["word"] in ("Very clean", "Clean", "Typical", "High", "Very high")
        assert hour["stale"] is False
    window = body(shared.get(f"{V1}/cleanest-window"))["best"]
    assert window["co2_g_per_kwh"] == window["q50_g_per_kwh"] == window["median_g_per_kwh"]


def test_operations_have_short_names_of_their_own(shared: httpx.Client) -> None:
    document = shared.get("/openapi.json").json()
    names = {
        path: operation["operationId"]
        for path, item in document["paths"].items()
        for operation in item.values()
    }
    assert len(set(names.values())) == len(names)
    assert names["/api/next-6h-predictions"] == "next_6h_predictions"
    assert names[f"{V1}/cleanest-window"] == "cleanest_window"
    assert set(document["components"]["securitySchemes"]) == {"key", "bearer", "password"}
