"""The state of forecast, data and server as Prometheus reads it."""

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from fastapi import APIRouter, Request
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from starlette.responses import Response

from co2_assets.contracts.forecast_spec import quantile_column
from co2_assets.contracts.time import HOUR, hour_containing
from co2_dash.advice.coming_hours import coming_hours
from co2_dash.api.access import METRICS_PATH
from co2_dash.api.cached_response import reader_of, workers_of
from co2_dash.data import counts, queries
from co2_dash.data.freshness import freshness_rows
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.request_counts import RequestCounts

OPENMETRICS = "application/openmetrics-text"
MEDIAN_LEVEL = 0.5
# The median and the ends of the 80 % band: each quantile is a series for each area and hour.
TOLD_QUANTILES = (0.1, MEDIAN_LEVEL, 0.9)
LATE = ("late", "no data", "ahead of the clock")
# A scraper may add parameters of its own, as a supervisor does.
router = APIRouter()


@router.get(METRICS_PATH, include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Answer in OpenMetrics to who accepts it, otherwise in Prometheus's own text."""
    reader, requests = reader_of(request), request.app.state.request_counts
    accepted = {
        part.partition(";")[0].strip() for part in request.headers.get("accept", "").lower().split(",")
    }
    # `choose_encoder` of the library fails at a version that is no number.
    in_openmetrics = OPENMETRICS in accepted
    body = await workers_of(request).ordinary.run(_text, reader, requests, in_openmetrics)
    kind = CONTENT_TYPE_LATEST if in_openmetrics else CONTENT_TYPE_PLAIN_0_0_4
    return Response(body, headers={"Content-Type": kind, "Cache-Control": "no-store", "Vary": "Accept"})


def _text(reader: Reader, requests: RequestCounts, in_openmetrics: bool) -> bytes:
    collected = _Collected([*_of_snapshot(reader), *requests.registry.collect()])
    if not in_openmetrics:
        return generate_latest(collected)
    return bytes(generate_openmetrics(collected))  # type: ignore[no-untyped-call]


class _Collected(Collector):
    """What was collected, for the library to write down."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> Iterable[Metric]:
        return self._found


def _of_snapshot(reader: Reader) -> Iterator[Metric]:
    """Yield the metrics of the newest snapshot; its tables are read once, the ages are those of now."""
    view, state = reader.look()
    if view is None:
        return
    yield from _of_publication(view, state)
    yield from _of_datasets(view, state)
    areas = [reader.look(name) for name in queries.areas(view)]
    # A run may have published in between.
    yield from _of_areas(view, [own for its_view, own in areas if its_view is view])


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"co2_{name}", text, labels=labels)


def _add(family: GaugeMetricFamily, labels: list[str], value: Any) -> None:
    """Add a sample unless there is no number."""
    if value is not None and math.isfinite(value):
        family.add_metric(labels, float(value))


def _seconds(time: datetime) -> float:
    return time.replace(tzinfo=UTC).timestamp()


def _of_publication(view: View, state: DataState) -> Iterator[Metric]:
    snapshot = view.snapshot
    info = _gauge("snapshot_info", "The published snapshot: where its data come from.", ("source", "version"))
    info.add_metric([state.source, view.version], 1)
    yield info
    published = _gauge("published_timestamp_seconds", "When a run published last.")
    published.add_metric([], _seconds(snapshot.published_at_utc))
    yield published
    age = _gauge("published_age_seconds", "How long ago a run published last.")
    age.add_metric([], ((state.wall_clock_utc or state.now_utc) - snapshot.published_at_utc).total_seconds())
    yield age


def _of_datasets(view: View, state: DataState) -> Iterator[Metric]:
    newest = _gauge("dataset_newest_timestamp_seconds", "Time of the newest row.", ("dataset",))
    age = _gauge("dataset_age_seconds", "Age of the newest row; under 0 for times to come.", ("dataset",))
    fetched = _gauge("dataset_fetch_age_seconds", "How long ago a fetch succeeded.", ("dataset",))
    rows = _gauge("dataset_rows", "Rows that are held.", ("dataset",))
    late = _gauge("dataset_late", "1 if the newest row is late, missing or ahead of the clock.", ("dataset",))
    quarantined = _gauge("quarantined_values", "Values in quarantine.", ("dataset",))
    in_quarantine = counts.quarantined(view).set_index("dataset")["n_values"].to_dict()
    for row in queries.records(freshness_rows(view, state)):
        labels = [row["dataset"]]
        if pd.notna(row["newest_utc"]):
            _add(newest, labels, _seconds(row["newest_utc"].to_pydatetime()))
            _add(age, labels, (state.now_utc - row["newest_utc"]).total_seconds())
        if pd.notna(row["last_ok_fetch_utc"]):
            _add(fetched, labels, (state.now_utc - row["last_ok_fetch_utc"]).total_seconds())
        _add(rows, labels, row["row_count"])
        _add(late, labels, row["state"] in LATE)
        _add(quarantined, labels, in_quarantine.get(row["dataset"], 0))
    yield from (newest, age, fetched, rows, late, quarantined)


def _of_areas(view: View, states: list[DataState]) -> Iterator[Metric]:
    # The source stands beside each intensity: made-up numbers must not pass for real ones.
    told = ("area", "source")
    measured = _gauge("intensity_measured_g_per_kwh", "Measured intensity, newest hour, g CO2/kWh.", told)
    measured_at = _gauge("intensity_measured_timestamp_seconds", "Start of that hour.", told)
    now = _gauge("intensity_now_g_per_kwh", "Forecast of the present hour (median), g CO2/kWh.", told)
    ahead = _gauge(
        "forecast_g_per_kwh",
        "Forecast by the number of hours from the present one, g CO2/kWh.",
        (*told, "hours_ahead", "quantile"),
    )
    issued = _gauge("forecast_issued_timestamp_seconds", "When the forecast was issued.", told)
    age = _gauge("forecast_age_seconds", "How long ago the forecast was issued.", told)
    stale = _gauge("forecast_stale", "1 if there is no forecast, or later ones were missed.", told)
    causes = _gauge("forecast_degraded_causes", "How many causes make the bands wider.", told)
    champion = _gauge("champion_info", "The model that forecasts.", (*told, "model"))
    scores = {
        column: _gauge(f"score_{column}", text, (*told, "leads"))
        for column, text in (
            ("mae_g_per_kwh", "Mean absolute error of the live forecasts of 7 days, g CO2/kWh."),
            ("persistence_mae_g_per_kwh", "That of the last measured value, g CO2/kWh."),
            ("accuracy_percent", "100 - MAPE of the live forecasts of 7 days."),
            ("coverage_80_percent", "How often the 80 % band held the measured value, %."),
            ("n_hours", "How many hours these scores rest on."),
        )
    }
    for state in states:
        labels = [state.area.name, state.source]
        for row in queries.records(counts.measured_now(view, state.area.name)):
            _add(measured, labels, row["co2_g_per_kwh"])
            _add(measured_at, labels, _seconds(row["hour_utc"].to_pydatetime()))
        present = hour_containing(state.now_utc)
        for row in queries.records(coming_hours(view, state)):
            hour = round((row["target_hour_utc"] - present) / HOUR)
            for level in TOLD_QUANTILES:
                value = row[quantile_column(level)]
                _add(ahead, [*labels, str(hour), f"{level:g}"], value)
                if hour == 0 and level == MEDIAN_LEVEL:
                    _add(now, labels, value)
        if state.issued_at_utc is not None and state.forecast_age is not None:
            _add(issued, labels, _seconds(state.issued_at_utc))
            _add(age, labels, state.forecast_age.total_seconds())
        _add(stale, labels, not state.ready)
        _add(causes, labels, len(state.degraded_causes))
        if state.model_version:
            champion.add_metric([*labels, state.model_version], 1)
        for row in queries.records(counts.live_scores(view, state.area.name)):
            leads = f"{row['lead_from_hours']}-{row['lead_to_hours']}"
            for column, family in scores.items():
                _add(family, [*labels, leads], row[column])
    yield from (measured, measured_at, now, ahead, issued, age, stale, causes, champion, *scores.values())
