"""The record of all live forecasts, each beside what came true: by month, and in short."""

from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts.forecast_spec import (
    DAYS_AHEAD,
    HEADLINE_LEADS,
    HORIZON_HOURS,
    NEAR_HOURS,
    QUANTILE_COLUMNS,
    ForecastKind,
)
from co2_assets.contracts.time import hour_containing
from co2_assets.warehouse.issue_archive import ALL_OUTCOMES, query_all
from co2_assets.warehouse.paths import SourceFolder
from co2_dash.data.snapshot_store import View

# The columns of a month's file, in this order.
COLUMNS = (
    "price_area",
    "issue_time_utc",
    "issued_at_utc",
    "target_hour_utc",
    "lead_hours",
    "cadence",
    "model_version",
    *QUANTILE_COLUMNS,
    "persistence_g_per_kwh",
    "energinet_prognosis_g_per_kwh",
    "degraded_causes",
    "actual_g_per_kwh",
)
# The spans of leads of the scorecard: the headline, the rest of the first day, each later day.
SPANS = (
    HEADLINE_LEADS,
    (HEADLINE_LEADS[1] + 1, NEAR_HOURS),
    *((first, min(last, HORIZON_HOURS)) for first, last in DAYS_AHEAD if first > NEAR_HOURS),
)
# The days back from now over which it is made.
WINDOWS_DAYS = (7, 30, 365)
_LIVE = f"price_area = $1 AND kind = '{ForecastKind.LIVE}'"


def months(folder: SourceFolder, view: View, area_name: str) -> pd.DataFrame:
    """Return a row for each month in which live forecasts of an area were issued, the newest first.

    Columns: month_utc (its first day), issues, forecasts (hours of all issues), with_outcome (those whose
    hour was measured).
    """

    def ask() -> pd.DataFrame:
        return query_all(
            folder,
            view.snapshot,
            f"""
            SELECT date_trunc('month', issued_at_utc)::TIMESTAMP AS month_utc,
                count(DISTINCT issued_at_utc) AS issues, count(*) AS forecasts,
                count(actual_g_per_kwh) AS with_outcome
            FROM {ALL_OUTCOMES} WHERE {_LIVE} GROUP BY month_utc ORDER BY month_utc DESC
            """,
            [area_name],
        )

    return view.remember(("months of the record", area_name), ask).copy()


def issued_in(folder: SourceFolder, view: View, area_name: str, month: datetime) -> pd.DataFrame:
    """Return every live forecast of an area issued in the month that begins at ``month``: `COLUMNS`."""
    following = (month.replace(day=1) + timedelta(days=32)).replace(day=1)
    return query_all(
        folder,
        view.snapshot,
        f"""
        SELECT {", ".join(COLUMNS)} FROM {ALL_OUTCOMES}
        WHERE {_LIVE} AND issued_at_utc >= $2 AND issued_at_utc < $3
        ORDER BY issued_at_utc, model_version, target_hour_utc
        """,
        [area_name, month, following],
    )


def scores(folder: SourceFolder, view: View, area_name: str, now_utc: datetime) -> pd.DataFrame:
    """Return how the live forecasts of an area did, by window and span of leads.

    Every measured hour counts that is over at ``now_utc``. Columns: window_days, lead_from_hours,
    lead_to_hours, n_forecasts, mae_g_per_kwh, persistence_mae_g_per_kwh, n_prognosis,
    mae_with_prognosis_g_per_kwh, prognosis_mae_g_per_kwh, coverage_80_percent, coverage_90_percent. A row
    of which nothing is measured is left out.
    """
    until = hour_containing(now_utc)
    spans = ", ".join(f"({first}, {last})" for first, last in SPANS)
    windows = ", ".join(f"({days})" for days in WINDOWS_DAYS)

    def ask() -> pd.DataFrame:
        return query_all(
            folder,
            view.snapshot,
            f"""
            WITH scored AS (
                SELECT *, actual_g_per_kwh AS y FROM {ALL_OUTCOMES}
                WHERE {_LIVE} AND actual_g_per_kwh IS NOT NULL AND target_hour_utc < $2
                  AND isfinite(q50_g_per_kwh)
            )
            SELECT window_days, lead_from_hours, lead_to_hours, count(*) AS n_forecasts,
                avg(abs(y - q50_g_per_kwh)) AS mae_g_per_kwh,
                avg(abs(y - persistence_g_per_kwh)) AS persistence_mae_g_per_kwh,
                count(energinet_prognosis_g_per_kwh) AS n_prognosis,
                avg(abs(y - q50_g_per_kwh)) FILTER (energinet_prognosis_g_per_kwh IS NOT NULL)
                    AS mae_with_prognosis_g_per_kwh,
                avg(abs(y - energinet_prognosis_g_per_kwh)) AS prognosis_mae_g_per_kwh,
                100.0 * avg((y BETWEEN q10_g_per_kwh AND q90_g_per_kwh)::INT) AS coverage_80_percent,
                100.0 * avg((y BETWEEN q05_g_per_kwh AND q95_g_per_kwh)::INT) AS coverage_90_percent
            FROM scored,
                (VALUES {windows}) AS w(window_days),
                (VALUES {spans}) AS s(lead_from_hours, lead_to_hours)
            WHERE lead_hours BETWEEN lead_from_hours AND lead_to_hours
              AND target_hour_utc >= $2::TIMESTAMP - to_days(window_days)
            GROUP BY ALL ORDER BY window_days, lead_from_hours
            """,
            [area_name, until],
        )

    return view.remember(("scorecard", area_name, until), ask).copy()
