"""What Prometheus is told, read by Prometheus's own parsers, and the dashboard that draws it."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from co2_assets.contracts import DATASETS
from co2_assets.warehouse.paths import Home
from tests.dash.api.test_api import refused
from tests.support import snapshot_data
from tests.support.pages_server import now

Client = Callable[..., httpx.Client]
DASHBOARD = Path(__file__).resolve().parents[3] / "deploy" / "grafana" / "co2-dashboard.json"
OPENMETRICS = "application/openmetrics-text"
# As a Prometheus of today asks.
SCRAPER = f"{OPENMETRICS};version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"


def told(client: httpx.Client, **how: object) -> dict[str, Metric]:
    answer = client.get("/metrics", **how)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return {family.name: family for family in read_text(answer.text)}


def samples(families: dict[str, Metric], name: str, **labels: str) -> dict[tuple[str, ...], float]:
    """Return the values of a family by the labels that are not given."""
    return {
        tuple(value for key, value in sample.labels.items() if key not in labels): sample.value
        for sample in families[name].samples
        if labels.items() <= sample.labels.items()
    }


def test_the_intensity_of_each_area_is_that_of_the_api(shared: httpx.Client) -> None:
    families = told(shared)
    for area in ("DK", "DK1", "DK2"):
        hours = shared.get("/api/v1/carbon-intensity/forecast", params={"area": area, "hours": 10}).json()[
            "hours"
        ]
        (present,) = samples(families, "co2_intensity_now_g_per_kwh", area=area, source="live").values()
        assert present == pytest.approx(hours[0]["q50_g_per_kwh"], abs=0.001)
        ahead = samples(families, "co2_forecast_g_per_kwh", area=area, source="live")
        for number, hour in enumerate(hours):
            for level in ("0.1", "0.5", "0.9"):
                column = f"q{round(float(level) * 100):02d}_g_per_kwh"
                assert ahead[(str(number), level)] == pytest.approx(hour[column], abs=0.001)
        latest = shared.get("/api/v1/carbon-intensity/latest", params={"area": area}).json()
        (measured,) = samples(families, "co2_intensity_measured_g_per_kwh", area=area, source="live").values()
        assert measured == pytest.approx(latest["measured"]["co2_g_per_kwh"], abs=0.001)


def test_ages_are_those_of_now(asked: Client) -> None:
    minute = timedelta(minutes=1)
    early = told(asked())
    later = told(asked(clock=lambda: now() + 7 * minute))
    issued = samples(early, "co2_forecast_issued_timestamp_seconds", area="DK", source="live")[()]
    at = datetime.fromtimestamp(issued, UTC).replace(tzinfo=None)
    assert at == snapshot_data.NOW.replace(hour=12, minute=0, second=0)
    for name, labels in (
        ("co2_forecast_age_seconds", {"area": "DK", "source": "live"}),
        ("co2_dataset_age_seconds", {"dataset": "power_system_right_now"}),
        ("co2_dataset_fetch_age_seconds", {"dataset": "power_system_right_now"}),
        ("co2_published_age_seconds", {}),
    ):
        before, after = (samples(families, name, **labels)[()] for families in (early, later))
        assert after - before == 420, name
    assert samples(early, "co2_published_age_seconds")[()] == 180


def test_every_dataset_has_its_state_and_its_quarantine(shared: httpx.Client) -> None:
    families = told(shared)
    names = {(dataset.name,) for dataset in DATASETS}
    for name in ("co2_dataset_rows", "co2_dataset_late", "co2_quarantined_values"):
        assert set(samples(families, name)) == names
    assert samples(families, "co2_quarantined_values")[("power_system_right_now",)] == 1
    assert samples(families, "co2_dataset_late")[("weather_forecast",)] == 1


def test_scores_are_those_of_the_last_seven_days(shared: httpx.Client) -> None:
    families = told(shared)
    labels = {"area": "DK1", "source": "live", "leads": "1-6"}
    assert samples(families, "co2_score_mae_g_per_kwh", **labels)[()] == 15
    assert samples(families, "co2_score_accuracy_percent", **labels)[()] == 80
    assert samples(families, "co2_score_n_hours", **labels)[()] == 168


def test_a_stale_forecast_is_told(asked: Client) -> None:
    labels = {"area": "DK", "source": "live"}
    assert samples(told(asked()), "co2_forecast_stale", **labels)[()] == 0
    late = told(asked(clock=lambda: now() + timedelta(days=1)))
    assert samples(late, "co2_forecast_stale", **labels)[()] == 1


def test_made_up_numbers_say_so(asked: Client, tmp_path: Path, archive_dir: Path) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir, source="simulator")
    families = told(asked(home, source="simulator"))
    for name, family in families.items():
        if "intensity" in name or "forecast" in name:
            assert {sample.labels["source"] for sample in family.samples} == {"simulator"}, name


def test_without_data_only_requests_are_told(asked: Client, tmp_path: Path) -> None:
    client = asked(Home(tmp_path))
    assert set(told(client)) == {"co2_http_requests", "co2_http_requests_created"}
    empty = tmp_path / "empty"
    snapshot_data.publish_empty(Home(empty))
    assert "co2_snapshot_info" in told(asked(Home(empty)))


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=1.x", "text/plain; version=0.0.4; charset=utf-8"),
        (SCRAPER, f"{OPENMETRICS}; version=1.0.0; charset=utf-8"),
        (
            "application/openmetrics-text; version=abc",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
)
def test_the_form_is_the_one_that_is_accepted(shared: httpx.Client, accept: str | None, kind: str) -> None:
    answer = shared.get("/metrics?name[]=x", headers={"Accept": accept} if accept else {})
    assert answer.headers["content-type"] == kind
    read = read_openmetrics if kind.startswith("application") else read_text
    families = {family.name: family for family in read(answer.text)}
    assert families["co2_http_requests"].type == "counter"
    assert all(family.documentation for family in families.values())
    assert answer.text.endswith("# EOF\n") == kind.startswith("application")


def test_requests_are_counted_by_path_and_status(asked: Client) -> None:
    client = asked(requests_per_minute=50)
    tag = client.get("/api/v1/areas").headers["etag"]
    client.get("/api/v1/areas", headers={"If-None-Match": tag})
    client.head("/api/v1/areas")
    client.get("/api/v1/carbon-intensity/latest?area=nowhere")
    for path in ("/", "/models", "/nothing-1", "/nothing-2", "/api/nothing", "/assets/pages.css", "/docs"):
        client.get(path)
    counted = samples(told(client), "co2_http_requests")
    for path, status, number in (
        ("/api/v1/areas", "200", 2),
        ("/api/v1/areas", "304", 1),
        ("/api/v1/carbon-intensity/latest", "422", 1),
        ("/", "200", 1),
        ("/models", "200", 1),
        ("/docs", "200", 1),
        ("other", "404", 2),
        ("/api/", "404", 1),
        ("files", "200", 1),
        ("/healthz", "200", 1),
    ):
        assert counted[(path, status)] == number, (path, status)
    assert not any("nothing" in path for path, _ in counted)


def test_with_keys_the_metrics_want_one(asked: Client) -> None:
    client = asked(api_keys=frozenset({"the-right-key"}))
    refused(client.get("/metrics"), 401)
    families = told(client, headers={"Authorization": "Bearer the-right-key"})
    assert samples(families, "co2_http_requests")[("other", "401")] == 1
    assert client.get("/healthz").status_code == 200


def test_the_dashboard_draws_what_is_told(shared: httpx.Client) -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(queries) > 5
    names = {sample.name for family in told(shared).values() for sample in family.samples}
    for query in queries:
        asked_for = set(re.findall(r"co2_\w+", query))
        assert asked_for, query
        assert asked_for <= names, query
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
