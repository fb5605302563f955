"""The API: right answers, honest refusals, nothing of the inside."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from co2_assets.contracts import tables
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, ForecastKind
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Transaction
from co2_assets.warehouse.paths import Home
from co2_dash.api.access import RequestLimit
from tests.support import snapshot_data
from tests.support.snapshot_data import CHAMPION, NOW

Client = Callable[..., httpx.Client]
V1 = "/api/v1/carbon-intensity"
DATA_ENDPOINTS = (
    "/api/last-24h-emissions",
    "/api/next-6h-predictions",
    "/api/last-6h-predictions-vs-actual",
    "/api/best-model",
    f"{V1}/latest",
    f"{V1}/history",
    f"{V1}/forecast",
    f"{V1}/cleanest-window",
    f"{V1}/daily-summary",
    "/api/v1/accuracy",
    "/api/v1/areas",
    "/api/v1/record",
    "/api/v1/scorecard",
)
ENDPOINTS = (*DATA_ENDPOINTS, "/api/v1/status")
# In the form of another tool, without the origin that our own answers carry.
# Of what has been, where nothing has been yet: that is no fault.
EMPTY_LISTS = {"/api/v1/accuracy": "leads", "/api/v1/record": "months", "/api/v1/scorecard": "scores"}
RECORD_FILES = ("/api/v1/record/{month}.parquet", "/api/v1/record/{month}.csv")
# Whole interfaces of other services.
SHAPES = ("electricity-maps", "carbon-aware-sdk", "neso")
OTHER_FORMATS = ("/api/v1/evcc", "/api/v1/home-assistant", "/api/v1/cleanest-windows.ics")


def published_again(home: Home, add: Callable[[Transaction], None]) -> None:
    """Add rows to the live warehouse of ``home`` and publish it again."""
    folder = home.source("live")
    warehouse = snapshot_data.Warehouse(folder.database, "live")
    with warehouse.open_transaction() as transaction:
        add(transaction)
    snapshots.publish(warehouse, folder.snapshots, as_of_utc=NOW, published_at_utc=NOW)


def body(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


def refused(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_the_last_24_hours_are_whole_and_in_order(asked: Client) -> None:
    hours = body(asked().get("/api/last-24h-emissions"))["hours"]
    assert [hour["hour"] for hour in hours][:2] == ["2024-05-31T13:00:00Z", "2024-05-31T14:00:00Z"]
    assert len(hours) == 24
    assert set(hours[0]) >= {"co2_g_per_kwh", "solar_mw", "net_exchange_mw"}


def test_the_next_six_hours_begin_with_that_of_now(asked: Client) -> None:
    answer = body(asked().get("/api/next-6h-predictions"))
    assert [hour["hour"] for hour in answer["hours"]] == [f"2024-06-01T{h:02d}:00:00Z" for h in range(13, 19)]
    assert answer["issue_time"] == "2024-06-01T12:00:00Z"
    assert answer["model_version"] == CHAMPION
    for hour in answer["hours"]:
        quantiles = [hour[f"q{q}_g_per_kwh"] for q in ("05", "10", "25", "50", "75", "90", "95")]
        assert quantiles == sorted(quantiles)


def test_the_last_six_hours_stand_beside_what_was_forecast_for_them(asked: Client) -> None:
    answer = body(asked().get("/api/last-6h-predictions-vs-actual"))
    assert answer["kind"] == "live"
    assert {hour["hour"] for hour in answer["hours"]} == {f"2024-06-01T{h:02d}:00:00Z" for h in range(7, 13)}
    for hour in answer["hours"]:
        assert hour["error_g_per_kwh"] == pytest.approx(
            hour["q50_g_per_kwh"] - hour["actual_g_per_kwh"], abs=2e-3
        )


def test_the_best_model_is_the_champion_and_not_the_newest(asked: Client) -> None:
    assert body(asked().get("/api/best-model"))["model_version"] == CHAMPION


def test_the_latest_value_has_its_place_among_the_last_month(asked: Client) -> None:
    answer = body(asked().get(f"{V1}/latest"))
    assert answer["measured"] == {"hour": "2024-06-01T12:00:00Z", "co2_g_per_kwh": 56.98}
    assert answer["word"] == answer["level"] == "Typical"
    assert answer["this_hour"]["hour"] == "2024-06-01T13:00:00Z"


def test_history_takes_any_offset_and_ends_before_its_end(asked: Client) -> None:
    answer = body(
        asked().get(
            f"{V1}/history", params={"start": "2024-05-20T02:00:00+02:00", "end": "2024-05-20T03:00:00Z"}
        )
    )
    assert [hour["hour"] for hour in answer["hours"]] == [f"2024-05-20T{h:02d}:00:00Z" for h in range(3)]


def test_a_forecast_is_whole_with_issue_time_units_and_source(asked: Client) -> None:
    answer = body(asked().get(f"{V1}/forecast"))
    assert [hour["lead_hours"] for hour in answer["hours"]] == list(range(1, 25))
    assert answer["unit"] == "g CO2/kWh"
    assert (answer["stale"], answer["degraded_causes"]) == (False, [])
    assert answer["origin"] == {
        "source": "live",
        "replayed": False,
        "as_of": "2024-06-01T13:20:00Z",
        "published_at": "2024-06-01T13:20:00Z",
        "snapshot": answer["origin"]["snapshot"],
        "attribution": "Source: Energinet, www.energidataservice.dk (CC BY 4.0).",
    }


def test_the_cleanest_window_keeps_the_deadline(asked: Client) -> None:
    client = asked()
    free = body(client.get(f"{V1}/cleanest-window"))
    bound = body(
        client.get(f"{V1}/cleanest-window", params={"duration": 2, "before": "2024-06-01T20:00:00+02:00"})
    )
    assert free["best"]["median_g_per_kwh"] <= bound["best"]["median_g_per_kwh"]
    assert bound["best"]["end"] <= bound["before"] == "2024-06-01T18:00:00Z"
    assert bound["starting_now"]["start"] == "2024-06-01T13:23:00Z"
    assert 0 <= free["saving_percent"] <= 100


def test_accuracy_stands_beside_the_baselines_by_lead(asked: Client) -> None:
    leads = body(asked().get("/api/v1/accuracy"))["leads"]
    assert {(row["lead_from_hours"], row["lead_to_hours"]) for row in leads} >= {(1, 6), (1, 1), (6, 6)}
    assert all(row["persistence_mae_g_per_kwh"] > 0 and row["prognosis_mae_g_per_kwh"] > 0 for row in leads)


@pytest.mark.parametrize("kind", ForecastKind)
def test_every_kind_of_evaluation_is_answered(
    asked: Client, tmp_path: Path, archive_dir: Path, kind: ForecastKind
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir)

    def add(transaction: Transaction) -> None:
        rows = transaction.read("SELECT * FROM model_evaluations WHERE price_area = 'DK' AND kind = 'test'")
        transaction.upsert(tables.MODEL_EVALUATIONS, rows.assign(kind=kind.value, evaluation_id="added"))

    published_again(home, add)
    leads = body(asked(home).get("/api/v1/accuracy"))["leads"]
    assert kind in {row["kind"] for row in leads}


@pytest.mark.parametrize("kind", [kind for kind in ForecastKind if kind is not ForecastKind.TEST])
def test_every_kind_of_forecast_is_answered_where_there_is_no_other(
    asked: Client, tmp_path: Path, archive_dir: Path, kind: ForecastKind
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish_empty(home)
    recorded = snapshot_data.recorded(archive_dir)

    def add(transaction: Transaction) -> None:
        hours = recorded[recorded["hour_utc"] < NOW.replace(minute=0)].tail(48)
        transaction.upsert(
            tables.AGGREGATED_DATA, hours.reindex(columns=list(tables.AGGREGATED_DATA.column_names))
        )
        intensity = recorded.set_index("hour_utc")["co2_g_per_kwh"]
        for issue in (datetime(2024, 6, 1), datetime(2024, 6, 1, 6)):
            rows = snapshot_data.forecast(intensity, issue, CHAMPION, kind)
            transaction.insert_missing(tables.PREDICTIONS, rows)

    published_again(home, add)
    answer = body(asked(home).get("/api/last-6h-predictions-vs-actual"))
    assert answer["kind"] == kind
    assert "2024-06-01T07:00:00Z" in {hour["hour"] for hour in answer["hours"]}


def test_every_area_is_answered_with_its_own_numbers(asked: Client) -> None:
    areas = body(asked().get("/api/v1/areas"))["areas"]
    assert [area["price_area"] for area in areas] == ["DK", "DK1", "DK2"]
    assert {area["issue_time"] for area in areas} == {"2024-06-01T12:00:00Z"}
    latest = {}
    for area in areas:
        name = area["price_area"]
        for endpoint in (*DATA_ENDPOINTS, "/api/v1/status"):
            if endpoint != "/api/v1/areas":
                answer = body(asked().get(endpoint, params={"price_area": name}))
                assert answer["price_area"] == name, endpoint
        answer = body(asked().get(f"{V1}/latest", params={"price_area": name}))
        latest[name] = answer["measured"]["co2_g_per_kwh"]
        hours = body(asked().get(f"{V1}/history", params={"price_area": name}))["hours"]
        assert all((hour["solar_mw"] is None) == (name != "DK") for hour in hours)
    for name, factor in snapshot_data.OTHER_AREAS.items():
        assert latest[name] == pytest.approx(factor * latest["DK"], abs=0.001)
    assert asked().get("/readyz", params={"price_area": "DK2"}).status_code == 200


def test_the_status_tells_the_state_and_the_freshness(asked: Client) -> None:
    answer = body(asked().get("/api/v1/status"))
    assert (answer["state"], answer["notices"]) == ("ok", [])
    assert answer["forecast_age_hours"] == pytest.approx(1.38)
    power = next(row for row in answer["datasets"] if row["dataset"] == "power_system_right_now")
    assert power == {
        "dataset": "power_system_right_now",
        "newest": "2024-06-01T12:00:00Z",
        "rows": 200,
        "last_ok_fetch": "2024-06-01T13:00:00Z",
        "late": True,
        "switched_off": False,
    }


def test_a_fresh_forecast_is_ready(asked: Client) -> None:
    client = asked()
    assert body(client.get("/healthz")) == {"status": "ok"}
    assert body(client.get("/readyz"))["issue_time"] == "2024-06-01T12:00:00Z"


def test_a_stale_forecast_is_told_but_not_ready(asked: Client) -> None:
    client = asked(clock=lambda: datetime(2024, 6, 1, 19, 1))
    assert "is stale: it was issued at 2024-06-01 12:00 UTC" in refused(client.get("/readyz"), 503)["detail"]
    assert body(client.get("/api/v1/status"))["state"] == "stale"
    assert body(client.get(f"{V1}/forecast"))["stale"] is True


def test_a_forecast_that_has_run_out_gives_no_window(asked: Client) -> None:
    client = asked(clock=lambda: NOW + timedelta(days=3))
    refused(client.get(f"{V1}/cleanest-window"), 503)
    assert body(client.get("/api/next-6h-predictions"))["hours"] == []


def test_a_replay_keeps_the_clock_of_its_own_time(asked: Client, tmp_path: Path, archive_dir: Path) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir, source="archive", published_at=datetime(2026, 1, 1))
    client = asked(home, clock=lambda: datetime(2026, 1, 5), source="archive")
    status = body(client.get("/api/v1/status"))
    assert status["now"] == "2024-06-01T13:20:00Z"
    assert (status["origin"]["source"], status["origin"]["replayed"]) == ("archive", True)
    assert "Replay of recorded data" in status["notices"][0]
    assert client.get("/readyz").status_code == 200


def test_what_is_shown_does_not_step_back(asked: Client, tmp_path: Path, archive_dir: Path) -> None:
    home = Home(tmp_path)
    folder = home.source("archive")
    snapshot_data.publish(home, archive_dir, source="archive", published_at=datetime(2026, 1, 1))
    snapshots.publish(
        snapshot_data.Warehouse(folder.database, "archive"),
        folder.snapshots,
        as_of_utc=datetime(2024, 6, 1, 1),
        published_at_utc=datetime(2026, 1, 1),
    )
    assert body(asked(home, source="archive").get("/api/v1/status"))["now"] == "2024-06-01T13:20:00Z"


def test_causes_of_a_degraded_forecast_are_passed_on(
    asked: Client, tmp_path: Path, archive_dir: Path
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir, causes='["prices: none for tomorrow"]')
    assert body(asked(home).get(f"{V1}/forecast"))["degraded_causes"] == ["prices: none for tomorrow"]


@pytest.mark.parametrize("published_empty", [True, False])
def test_without_data_every_answer_says_so(asked: Client, tmp_path: Path, published_empty: bool) -> None:
    home = Home(tmp_path)
    if published_empty:
        snapshot_data.publish_empty(home)
    client = asked(home)
    assert body(client.get("/api/v1/status"))["state"] == "empty"
    assert client.get("/healthz").status_code == 200
    refused(client.get("/readyz"), 503)
    for endpoint in DATA_ENDPOINTS:
        if published_empty and endpoint == "/api/v1/areas":
            assert {area["issue_time"] for area in body(client.get(endpoint))["areas"]} == {None}
        elif published_empty and endpoint in EMPTY_LISTS:
            assert body(client.get(endpoint))[EMPTY_LISTS[endpoint]] == []
        elif published_empty and endpoint.endswith("/history"):
            asked_for = {"start": "2024-05-01T00:00:00Z", "end": "2024-05-02T00:00:00Z"}
            assert body(client.get(endpoint, params=asked_for))["hours"] == []
        else:
            refused(client.get(endpoint), 503)


def test_forecasts_of_one_cadence_can_be_asked_for(shared: httpx.Client) -> None:
    accuracy, outcomes = f"{V1[: V1.rindex('/')]}/accuracy", "/api/last-6h-predictions-vs-actual"
    every = body(shared.get(accuracy))["leads"]
    assert {row["cadence"] for row in every} == {"six_hour"}
    assert body(shared.get(accuracy, params={"cadence": "six_hour"}))["leads"] == every
    assert body(shared.get(accuracy, params={"cadence": "hourly"}))["leads"] == []
    assert body(shared.get(outcomes))["cadence"] == "six_hour"
    hourly = body(shared.get(outcomes, params={"cadence": "hourly"}))
    assert (hourly["cadence"], hourly["hours"]) == ("hourly", [])
    for address in (accuracy, outcomes):
        (error,) = refused(shared.get(address, params={"cadence": "weekly"}), 422)["errors"]
        assert error["parameter"] == "cadence"
        assert "six_hour" in error["message"]


@pytest.mark.parametrize("endpoint", DATA_ENDPOINTS)
def test_an_unchanged_answer_is_not_sent_twice(asked: Client, endpoint: str) -> None:
    client = asked()
    first = client.get(endpoint)
    assert first.headers["cache-control"] == "public, max-age=30, must-revalidate"
    again = client.get(endpoint, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_a_new_snapshot_changes_the_tag(asked: Client, tmp_path: Path, archive_dir: Path) -> None:
    home = Home(tmp_path)
    first_version = snapshot_data.publish(home, archive_dir)
    client = asked(home)
    first = client.get(f"{V1}/forecast")
    snapshots.publish(
        snapshot_data.Warehouse(home.source("live").database, "live"),
        home.source("live").snapshots,
        as_of_utc=NOW,
        published_at_utc=NOW,
    )
    second = client.get(f"{V1}/forecast", headers={"If-None-Match": first.headers["etag"]})
    assert first.json()["origin"]["snapshot"] == first_version.version
    assert second.status_code == 200
    assert second.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize(
    ("endpoint", "params", "parameter"),
    [
        (f"{V1}/forecast", {"price_area": "SE3"}, "price_area"),
        (f"{V1}/forecast", {"price_area": "DK'; DROP TABLE predictions; --"}, "price_area"),
        (f"{V1}/history", {"start": "yesterday"}, "start"),
        (f"{V1}/history", {"start": "2024-05-20T00:00:00"}, "start"),
        (f"{V1}/cleanest-window", {"duration": "0"}, "duration"),
        (f"{V1}/cleanest-window", {"duration": f"{HORIZON_HOURS + 1}"}, "duration"),
        (f"{V1}/cleanest-window", {"duration": "nan"}, "duration"),
        (f"{V1}/cleanest-window", {"duration": "inf"}, "duration"),
        (f"{V1}/forecast", {"hours": "0"}, "hours"),
        (f"{V1}/forecast", {"hours": f"{HORIZON_HOURS + 1}"}, "hours"),
        (f"{V1}/forecast", {"hours": "a day"}, "hours"),
        (f"{V1}/cleanest-window", {"before": "../../etc/passwd"}, "before"),
    ],
)
def test_a_parameter_out_of_bounds_is_named(
    asked: Client, endpoint: str, params: dict[str, str], parameter: str
) -> None:
    problem = refused(asked().get(endpoint, params=params), 422)
    assert [error["parameter"] for error in problem["errors"]] == [parameter]
    assert "DROP" not in str(problem)
    assert "passwd" not in str(problem)


@pytest.mark.parametrize(
    ("endpoint", "params", "words"),
    [
        (f"{V1}/history", {"start": "2024-05-20T00:00:00Z", "end": "2024-05-19T00:00:00Z"}, "before the end"),
        (f"{V1}/history", {"start": "1999-01-01T00:00:00Z"}, "At most 366 days"),
        (f"{V1}/cleanest-window", {"before": "2024-06-01T14:00:00Z"}, "do not fit"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(
    asked: Client, endpoint: str, params: dict[str, str], words: str
) -> None:
    assert words in refused(asked().get(endpoint, params=params), 422)["detail"]


def test_unknown_endpoints_and_methods_are_problems_too(asked: Client) -> None:
    client = asked()
    refused(client.get("/api/v2/anything"), 404)
    assert refused(client.post(f"{V1}/forecast"), 405)
    assert client.post(f"{V1}/forecast").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_key_is_wanted_where_keys_are_set(asked: Client, endpoint: str) -> None:
    client = asked(api_keys=frozenset({"right", "also-right"}))
    assert refused(client.get(endpoint), 401)
    assert client.get(endpoint).headers["www-authenticate"] == "Bearer"
    refused(client.get(endpoint, headers={"X-API-Key": "wrong"}), 401)
    refused(client.get(endpoint, headers={"Authorization": "Basic right"}), 401)
    with_key = client.get(endpoint, headers={"X-API-Key": "right"})
    assert with_key.status_code == 200
    assert "public" not in with_key.headers["cache-control"]
    assert client.get(endpoint, headers={"Authorization": "Bearer also-right"}).status_code == 200


def test_health_needs_no_key(asked: Client) -> None:
    client = asked(api_keys=frozenset({"right"}))
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_too_many_requests_are_told_to_wait(asked: Client) -> None:
    client = asked(requests_per_minute=3)
    answers = [client.get("/api/v1/status") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused(answers[3], 429)
    assert 1 <= int(answers[3].headers["retry-after"]) <= 21
    assert client.get("/healthz").status_code == 200


def test_the_limit_refills_evenly_and_is_counted_per_client() -> None:
    seconds = 0.0
    limit = RequestLimit(2, lambda: seconds)
    assert [limit.wait_s("a"), limit.wait_s("a"), limit.wait_s("a")] == [0, 0, 30]
    assert limit.wait_s("b") == 0
    seconds = 30.0
    assert limit.wait_s("a") == 0
    assert limit.wait_s("a") == 30


def test_no_other_site_may_read_unless_it_is_named(asked: Client) -> None:
    origin = {"Origin": "https://example.org"}
    assert "access-control-allow-origin" not in asked().get(f"{V1}/forecast", headers=origin).headers
    allowed = asked(cors_origins=("https://example.org",)).get(f"{V1}/forecast", headers=origin)
    assert allowed.headers["access-control-allow-origin"] == "https://example.org"
    other = asked(cors_origins=("https://example.com",)).get(f"{V1}/forecast", headers=origin)
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/", "/docs", "/api/v1/status", "/healthz", "/nothing-here"])
def test_every_answer_carries_the_security_headers(asked: Client, path: str) -> None:
    headers = asked().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "server" not in headers


def test_a_damaged_snapshot_is_an_error_without_its_inside(asked: Client, tmp_path: Path) -> None:
    home = Home(tmp_path)
    snapshot = snapshot_data.publish_empty(home)
    snapshot.path.write_bytes(b"this is no database")
    problem = refused(asked(home).get(f"{V1}/forecast"), 500)
    assert problem["detail"] == "The answer could not be made. It has been logged."
    assert str(tmp_path) not in str(problem)


def test_addresses_that_are_no_page_are_not_found(asked: Client) -> None:
    client = asked()
    for path in ("/", "/emissions", "/predictions", "/models", "/docs"):
        assert client.get(path).status_code == 200
    for path in ("/nothing-here", "/emissions/x", "/..%2f..%2fetc%2fpasswd"):
        assert client.get(path).status_code == 404
    assert client.get("/assets/../../pyproject.toml").status_code == 404
    refused(client.get("/_dash-component-suites/os/environ"), 404)


def test_every_page_has_a_title_of_its_own(asked: Client) -> None:
    client = asked()
    titles = {
        client.get(path).text.split("<title>")[1].split("<")[0] for path in ("/", "/emissions", "/models")
    }
    assert "Next 6h forecast · CO₂ in the socket" in titles
    assert len(titles) == 3


def test_the_reference_tells_of_every_endpoint_and_unit(asked: Client) -> None:
    client = asked()
    document = client.get("/openapi.json").json()
    others = {path for path in document["paths"] if path.startswith("/api/") and path.split("/")[2] in SHAPES}
    assert {path.split("/")[2] for path in others} == set(SHAPES)
    assert set(document["paths"]) - others == {
        *ENDPOINTS,
        *OTHER_FORMATS,
        *RECORD_FILES,
        "/healthz",
        "/readyz",
    }
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if name.endswith("_g_per_kwh"):
                assert "g CO2/kWh" in field["description"] or "on the test part" in field["description"]


def test_static_files_are_compressed_once_and_kept_for_long(asked: Client) -> None:
    client = asked()
    path = client.get("/").text.split('src="')[1].split('"')[0]
    first, second = client.get(path), client.get(path)
    assert first.headers["content-encoding"] == second.headers["content-encoding"] == "gzip"
    assert first.content == second.content
    assert "max-age=31536000" in first.headers["cache-control"]
    assert "content-encoding" not in client.get(path, headers={"Accept-Encoding": "identity"}).headers


@pytest.mark.parametrize("bare", ["0", "1717200000", "-1", "1e9", "nan"])
def test_a_bare_number_is_no_time(shared: httpx.Client, bare: str) -> None:
    for path in ("history?start=", "history?end=", "cleanest-window?duration=3&before="):
        assert shared.get(f"/api/v1/carbon-intensity/{path}{bare}").status_code == 422
