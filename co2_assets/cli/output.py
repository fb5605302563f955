"""What the `co2` command prints, as tables for people and JSON for programs."""

import json
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from co2_assets.contracts import CO2_EMISSION
from co2_assets.contracts.areas import AREAS, DENMARK
from co2_assets.contracts.forecast_spec import (
    HEADLINE_LEADS,
    NEAR_HOURS,
    QUANTILE_COLUMNS,
    QUANTILES,
    ForecastKind,
)
from co2_assets.contracts.sources import STAND_IN, SourceKind
from co2_assets.contracts.time import COPENHAGEN, hour_containing
from co2_assets.pipeline.status import Status, instant, newest_forecast
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot

BAR_WIDTH = 12

# How hours came to be forecast, by the kind of the forecast or of the evaluation.
HOW_FORECAST: dict[str, str] = {
    ForecastKind.LIVE: "",
    ForecastKind.HINDCAST: ", forecast afterwards from what was known then",
    ForecastKind.BACKFILL: ", forecast afterwards by models trained before them",
    ForecastKind.TEST: " that were kept from training as its test",
}
# One sentence about data that are not live.
SOURCE_NOTES: dict[str, str] = {
    SourceKind.SIMULATOR: "Simulated: these numbers are made up.",
    SourceKind.ARCHIVE: "Replay of recorded data: not the present.",
}


def danish(value: pd.Timestamp) -> str:
    """Return a naive UTC time as Danish clock time."""
    return f"{value.tz_localize('UTC').tz_convert(COPENHAGEN):%a %H:%M}"


def _number(value: Any, digits: int = 1, suffix: str = "") -> str:
    return "–" if value is None or pd.isna(value) else f"{value:,.{digits}f}{suffix}"


def _percent(share: float | None) -> str:
    return _number(None if share is None else 100 * share)


def _time(value: pd.Timestamp) -> str:
    return "–" if pd.isna(value) else f"{value:%Y-%m-%d %H:%M}"


def _chosen(forecast: pd.DataFrame, now: datetime, hours: int | None) -> pd.DataFrame:
    """Return the next ``hours`` of a forecast, the current one included; the first ones if None."""
    if hours is None:
        return forecast[forecast["lead_hours"] <= NEAR_HOURS]
    first = hour_containing(now)
    return forecast[
        forecast["target_hour_utc"].between(first, first + timedelta(hours=hours), inclusive="left")
    ]


def none_before(oldest: datetime) -> str:
    """Return from when on forecasts are kept, and what to do about it."""
    return f"the oldest that is kept was issued {instant(oldest)}; give a later time to --as-of"


def forecast_table(
    snapshot: Snapshot,
    area_name: str = DENMARK.name,
    *,
    by: datetime | None = None,
    now: datetime | None = None,
    hours: int | None = None,
) -> RenderableType:
    """Return the newest forecast of an area: median, bands and a bar for each hour.

    ``by`` is the latest issue time to consider, naive UTC; None considers all. ``hours`` are counted from
    ``now`` on, naive UTC, the current one included; that is the time of the snapshot where it is None.
    Without ``hours`` they are the first `NEAR_HOURS` of the forecast, those already past included.
    """
    forecast = _chosen(newest_forecast(snapshot, area_name, by), now or snapshot.as_of_utc, hours)
    if forecast.empty:
        return Text("No forecast has been issued yet.")
    issued = forecast["issued_at_utc"].iloc[0]
    title = AREAS[area_name].title
    table = Table(
        title=f"Carbon intensity of power in {title}, g CO2/kWh, issued {issued:%Y-%m-%d %H:%M} UTC",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
    )
    table.add_column("Danish time", no_wrap=True, min_width=9)
    table.add_column("UTC", no_wrap=True)
    for heading in ("median", "80 %", "90 %", "Energinet"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    largest = forecast["q50_g_per_kwh"].max()
    for row in forecast.to_dict("records"):
        table.add_row(
            danish(row["target_hour_utc"]),
            f"{row['target_hour_utc']:%H:%M}",
            f"{row['q50_g_per_kwh']:.0f}",
            f"{row['q10_g_per_kwh']:.0f}–{row['q90_g_per_kwh']:.0f}",
            f"{row['q05_g_per_kwh']:.0f}–{row['q95_g_per_kwh']:.0f}",
            _number(row["energinet_prognosis_g_per_kwh"], 0),
            "█" * max(1, round(BAR_WIDTH * row["q50_g_per_kwh"] / largest)),
            style="bold" if row["lead_hours"] <= HEADLINE_LEADS[1] else None,
        )
    lines: list[RenderableType] = [table]
    if note := SOURCE_NOTES.get(snapshot.source):
        lines.append(Text(note))
    if snapshot.source == SourceKind.ARCHIVE and AREAS[area_name].measured_in == CO2_EMISSION.name:
        lines.append(Text(f"For this area, {STAND_IN}."))
    causes = json.loads(forecast["degraded_causes"].iloc[0])
    if causes:
        lines.append(Text("Degraded: " + "; ".join(causes)))
    lines.append(Text(f"Model {forecast['model_version'].iloc[0]}"))
    return Group(*lines)


def forecast_json(
    snapshot: Snapshot,
    area_name: str = DENMARK.name,
    *,
    by: datetime | None = None,
    now: datetime | None = None,
    hours: int | None = None,
) -> dict[str, Any]:
    """Return the forecast of `forecast_table` as plain JSON values; ``hours`` is empty if there is none."""
    forecast = newest_forecast(snapshot, area_name, by)
    head = {
        "source": snapshot.source,
        "as_of_utc": instant(snapshot.as_of_utc),
        "price_area": area_name,
        "unit": "g CO2/kWh",
    }
    if forecast.empty:
        return {**head, "issue_time_utc": None, "hours": []}
    return {
        **head,
        "issue_time_utc": instant(forecast["issue_time_utc"].iloc[0]),
        "issued_at_utc": instant(forecast["issued_at_utc"].iloc[0]),
        "model_version": forecast["model_version"].iloc[0],
        "degraded_causes": json.loads(forecast["degraded_causes"].iloc[0]),
        "hours": [
            {
                "target_hour_utc": instant(row["target_hour_utc"]),
                "lead_hours": int(row["lead_hours"]),
                "quantiles": {
                    f"{level:g}": round(float(row[name]), 2)
                    for level, name in zip(QUANTILES, QUANTILE_COLUMNS, strict=True)
                },
            }
            for row in _chosen(forecast, now or snapshot.as_of_utc, hours).to_dict("records")
        ],
    }


def model_summary(snapshot: Snapshot) -> RenderableType:
    """Return the newest model, its test error, and whether it was promoted."""
    newest = snapshots.query(
        snapshot,
        "SELECT * FROM model_table WHERE price_area = ? ORDER BY trained_at_utc DESC LIMIT 1",
        [DENMARK.name],
    )
    if newest.empty:
        return Text("There is no model yet.")
    row = newest.iloc[0]
    return Text(
        f"Model {row['model_version']}: {row['decision']}. {row['reason']}\n"
        f"Test MAE of leads 1-6: {_number(row['test_mae_g_per_kwh'])} g/kWh, persistence "
        f"{_number(row['test_persistence_mae_g_per_kwh'])}; trained in "
        f"{_number(row['training_seconds'], 0)} s."
    )


def tick_summary(snapshot: Snapshot, seconds: float, peak_megabytes: float) -> RenderableType:
    """Return the last lines of a tick: the forecast, the rows fetched, the accuracy, time and memory."""
    fetched = snapshots.query(
        snapshot,
        """
        SELECT dataset, sum(rows_new) AS new, sum(rows_changed) AS changed,
            sum(rows_quarantined) AS quarantined, string_agg(DISTINCT outcome, ', ') AS outcome
        FROM new_data_log WHERE fetched_at_utc = ? GROUP BY dataset ORDER BY dataset
        """,
        [snapshot.as_of_utc],
    )
    lines: list[RenderableType] = [forecast_table(snapshot)]
    lines.extend(
        Text(
            f"{row['dataset']}: {row['outcome']}, {row['new']:,.0f} new, {row['changed']:,.0f} revised, "
            f"{row['quarantined']:,.0f} quarantined"
        )
        for row in fetched.to_dict("records")
    )
    scores = snapshots.query(
        snapshot,
        """
        SELECT * FROM model_evaluations
        WHERE price_area = ? AND cadence = 'six_hour' AND lead_from_hours = ? AND lead_to_hours = ?
        QUALIFY row_number() OVER (
            PARTITION BY kind ORDER BY window_to_utc DESC, evaluated_at_utc DESC
        ) = 1
        ORDER BY kind
        """,
        [DENMARK.name, *HEADLINE_LEADS],
    )
    lines.extend(
        Text(
            f"Accuracy of leads 1-6 over {row['n_hours']} hours to "
            f"{row['window_to_utc']:%Y-%m-%d %H:%M} UTC{HOW_FORECAST[row['kind']]}: "
            f"{_number(row['accuracy_percent'])} % (persistence "
            f"{_number(row['persistence_accuracy_percent'])} %), MAE {_number(row['mae_g_per_kwh'])} g/kWh"
        )
        for row in scores.to_dict("records")
    )
    lines.append(Text(f"Done in {seconds:.1f} s, at most {peak_megabytes:,.0f} MB of memory."))
    return Group(*lines)


def quarantine_table(values: pd.DataFrame) -> RenderableType:
    """Return the quarantined values with the reason and the times of quarantine and release."""
    if values.empty:
        return Text("Nothing is quarantined.")
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("dataset", "key", "column", "value", "reason", "since, UTC", "released, UTC"):
        table.add_column(heading, overflow="fold")
    for row in values.to_dict("records"):
        table.add_row(
            *(row[name] for name in ("dataset", "row_key", "column_name", "value", "reason")),
            _time(row["quarantined_at_utc"]),
            _time(row["released_at_utc"]),
        )
    return table


def status_table(state: Status) -> RenderableType:
    """Return the state of the pipeline."""
    lines = [
        f"Source      {state.snapshot.source}. {SOURCE_NOTES.get(state.snapshot.source, '')}".rstrip(),
        f"Area        {AREAS[state.price_area].title} ({state.price_area})",
        f"Clock       {state.now:%Y-%m-%d %H:%M} UTC; snapshot {state.snapshot.version}",
    ]
    age = state.forecast_age
    if age is None:
        oldest = state.oldest_issued_at
        lines.append(
            "Forecast    STALE: none was ever issued"
            if oldest is None
            else f"Forecast    STALE: none was ever issued by then; {none_before(oldest)}"
        )
    elif state.is_ahead:
        lines.append(
            f"Forecast    AHEAD OF THE CLOCK: issued {state.issued_at:%Y-%m-%d %H:%M} UTC, in "
            f"{-age.total_seconds() / 3600:.1f} h. Check the clock of this machine; after a run as of "
            "a later time, `co2 tick` makes a forecast of now"
        )
    else:
        warning = "STALE: " if state.overdue else ""
        due = "" if state.next_due is None else f"; the next is due at {state.next_due:%H:%M} UTC"
        lines.append(
            f"Forecast    {warning}issued {state.issued_at:%Y-%m-%d %H:%M} UTC, "
            f"{age.total_seconds() / 3600:.1f} h ago{due}"
        )
    causes = json.loads(state.degraded_causes)
    lines.append(f"Degraded    {'; '.join(causes) if causes else 'no'}")
    if state.champion:
        lines.append(f"Champion    {state.champion['model_version']}: {state.champion['reason']}")
    else:
        lines.append("Champion    none yet")
    if state.score:
        score = state.score
        lines.append(
            f"Accuracy    {_number(score['accuracy_percent'])} % over {score['n_hours']} hours"
            f"{HOW_FORECAST[score['kind']]}, leads 1-6 "
            f"(persistence {_number(score['persistence_accuracy_percent'])} %)"
        )
    else:
        lines.append("Accuracy    no forecast hour has passed yet")
    lines.append(f"Quarantine  {state.quarantined} values")
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("dataset", "newest row, UTC", "rows", "last good fetch, UTC"):
        table.add_column(heading)
    for row in state.datasets.to_dict("records"):
        note = state.notes.get(row["dataset"])
        table.add_row(
            f"{row['dataset']} ({note})" if note else row["dataset"],
            _time(row["newest_utc"]),
            f"{row['row_count']:,}",
            _time(row["last_ok_fetch_utc"]),
        )
    failures = [
        f"{row['dataset']}: {row['outcome']} at {row['fetched_at_utc']:%Y-%m-%d %H:%M} UTC. {row['message']}"
        for row in state.failed_fetches.to_dict("records")
    ]
    return Group(Text("\n".join(lines)), table, *(Text(line) for line in (*failures, *state.set_aside)))


BACKTEST_FORECASTS = {
    "model": "model",
    "persistence": "persistence",
    "same_hour_yesterday": "yesterday",
    "energinet_prognosis": "Energinet",
}


def backtest_table(report: dict[str, Any]) -> RenderableType:
    """Return the errors of a backtest by lead, with those of the baselines."""
    table = Table(
        title="MAE g/kWh (MAPE %) by lead", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1)
    )
    table.add_column("lead")
    table.add_column("n", justify="right")
    for heading in BACKTEST_FORECASTS.values():
        table.add_column(heading, justify="right")
    for heading in ("skill %", "in 80 %", "in 90 %"):
        table.add_column(heading, justify="right")
    rows = [*report["leads"], {**report["headline"], "lead": "1-6"}]
    for row in rows:
        model = row["model"]
        table.add_row(
            f"{row['lead']}",
            f"{row['n']:,}",
            *(
                f"{_number(row[name]['mae'])} ({_number(row[name]['mape'], 0)})" if row[name] else "–"
                for name in BACKTEST_FORECASTS
            ),
            _percent(model["skill_persistence"]),
            _number(model["coverage_80"]),
            _number(model["coverage_90"]),
            style="bold" if row["lead"] == "1-6" else None,
        )
    return table
