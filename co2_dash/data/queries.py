"""Every query that the pages and the API make on a snapshot.

All take a `View`. Times are naive UTC. Frames have exactly the columns that are named, in the order of
their keys.
"""

from datetime import datetime
from typing import Any, cast

import pandas as pd

from co2_assets.contracts.areas import AREAS, MEASURED_WITHIN
from co2_assets.contracts.forecast_spec import (
    BAND_LEVELS,
    DAYS_AHEAD,
    HEADLINE_LEADS,
    HORIZON_HOURS,
    NEAR_HOURS,
    POWERS,
    QUANTILE_COLUMNS,
    quantile_column,
)
from co2_assets.warehouse.sql import interval
from co2_dash.data.snapshot_store import View

# The columns at the two ends of each of `forecast_spec.BAND_LEVELS`.
BANDS = {share: (quantile_column(low), quantile_column(high)) for share, (low, high) in BAND_LEVELS.items()}

_LAST_HEADLINE_LEAD = HEADLINE_LEADS[1]
# The ranges of leads over which the coverage of the bands is counted, as far as the forecast reaches.
COVERAGE_LEADS = tuple(
    (first, min(last, HORIZON_HOURS))
    for first, last in (
        HEADLINE_LEADS,
        (_LAST_HEADLINE_LEAD + 1, 2 * _LAST_HEADLINE_LEAD),
        (2 * _LAST_HEADLINE_LEAD + 1, NEAR_HOURS),
        *DAYS_AHEAD[1:],
    )
    if first <= HORIZON_HOURS
)
_QUANTILES = ", ".join(QUANTILE_COLUMNS)
_POWERS = ", ".join(POWERS)
# The table allows a row without some of its quantiles; such an hour has no forecast.
_WHOLE = " AND ".join(f"isfinite({column})" for column in ("lead_hours", *QUANTILE_COLUMNS))


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return each row as a dictionary by column name."""
    return cast("list[dict[str, Any]]", rows.to_dict("records"))


def current_forecast(view: View, area_name: str) -> pd.DataFrame:
    """Return the newest live forecast, a row per target hour, with baselines and causes.

    Columns: issue_time_utc, target_hour_utc, lead_hours, model_version, issued_at_utc, the seven
    quantiles, persistence_g_per_kwh, energinet_prognosis_g_per_kwh, degraded_causes.
    """
    return view.frame(
        f"""
        SELECT issue_time_utc, target_hour_utc, lead_hours, model_version, issued_at_utc, {_QUANTILES},
               persistence_g_per_kwh, energinet_prognosis_g_per_kwh, degraded_causes
        FROM current_forecast WHERE price_area = ? AND {_WHOLE} ORDER BY target_hour_utc
        """,
        [area_name],
    )


def current_forecasts(view: View) -> pd.DataFrame:
    """Return the newest live forecast of every area that has one, a row per area and target hour.

    Columns: price_area, issued_at_utc, target_hour_utc, the seven quantiles.
    """
    return view.frame(
        f"""
        SELECT price_area, issued_at_utc, target_hour_utc, {_QUANTILES}
        FROM current_forecast WHERE {_WHOLE} ORDER BY price_area, target_hour_utc
        """
    )


_STILL_FORECAST = f"""
    SELECT price_area FROM current_forecast
    WHERE issued_at_utc >= (SELECT max(issued_at_utc) FROM current_forecast) - {interval(MEASURED_WITHIN)}
"""


def areas_forecast(view: View) -> list[str]:
    """Return the names of the areas that have a forecast, in the order of `AREAS`.

    One that was last forecast a week before the newest forecast is no longer forecast.
    """
    rows = view.frame(f"SELECT DISTINCT price_area FROM ({_STILL_FORECAST})")
    return [name for name in AREAS if name in set(rows["price_area"])]


def areas(view: View) -> list[str]:
    """Return the names of the areas that are measured or have a forecast, in the order of `AREAS`.

    One that was not measured in the last week before the newest measurement is no longer measured.
    """
    rows = view.frame(
        f"""
        SELECT DISTINCT price_area FROM aggregated_data
        WHERE hour_utc >= (SELECT max(hour_utc) FROM aggregated_data) - {interval(MEASURED_WITHIN)}
        UNION {_STILL_FORECAST}
        """
    )
    return [name for name in AREAS if name in set(rows["price_area"])]


def last_measured_hour(view: View, area_name: str) -> datetime | None:
    """Return the start of the newest hour with a measured carbon intensity, or None."""
    newest = view.frame(
        """
        SELECT max(hour_utc) AS hour_utc FROM aggregated_data
        WHERE price_area = ? AND co2_g_per_kwh IS NOT NULL
        """,
        [area_name],
    )["hour_utc"].iloc[0]
    return None if pd.isna(newest) else pd.Timestamp(newest).to_pydatetime()


def measured(view: View, area_name: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Return hourly measurements of ``[start, end)``; a missing hour has no row.

    Columns: hour_utc, co2_g_per_kwh, and the six power columns in MW.
    """
    return view.frame(
        f"""
        SELECT hour_utc, co2_g_per_kwh, {_POWERS} FROM aggregated_data
        WHERE price_area = ? AND hour_utc >= ? AND hour_utc < ? ORDER BY hour_utc
        """,
        [area_name, start, end],
    )


def outcomes(
    view: View,
    area_name: str,
    series: str,
    start: datetime,
    end: datetime,
    leads: tuple[int, int] = (1, HORIZON_HOURS),
) -> pd.DataFrame:
    """Return forecasts of ``series`` for those target hours in ``[start, end)`` that were measured.

    ``leads`` are the first and the last lead.

    Columns: issue_time_utc, issued_at_utc, target_hour_utc, lead_hours, model_version, the seven quantiles,
    persistence_g_per_kwh, energinet_prognosis_g_per_kwh, actual_g_per_kwh.
    """
    return view.frame(
        f"""
        SELECT issue_time_utc, issued_at_utc, target_hour_utc, lead_hours, model_version, {_QUANTILES},
               persistence_g_per_kwh, energinet_prognosis_g_per_kwh, actual_g_per_kwh
        FROM prediction_outcomes
        WHERE price_area = ? AND series = ? AND target_hour_utc >= ? AND target_hour_utc < ?
          AND lead_hours BETWEEN ? AND ? AND isfinite(actual_g_per_kwh) AND {_WHOLE}
        ORDER BY issued_at_utc, target_hour_utc, model_version
        """,
        [area_name, series, start, end, *leads],
    )


def scored_hours(view: View, area_name: str) -> dict[str, int]:
    """Return how many different hours have been scored, by series of forecasts (`series_name`)."""
    rows = view.frame(
        """
        SELECT series, count(DISTINCT target_hour_utc) AS hours FROM prediction_outcomes
        WHERE price_area = ? AND actual_g_per_kwh IS NOT NULL GROUP BY series ORDER BY series
        """,
        [area_name],
    )
    return {row["series"]: int(row["hours"]) for row in records(rows)}


def errors_by_lead(view: View, area_name: str, series: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Return mean absolute errors in g/kWh by lead, over target hours in ``[start, end)``.

    Columns: lead_hours, n_forecasts, mae_g_per_kwh, persistence_mae_g_per_kwh; and, over the
    n_prognosis values for which Energinet had a prognosis, prognosis_mae_g_per_kwh (its error) and
    mae_with_prognosis_g_per_kwh (ours). Only these last two may be compared with each other.
    """
    return view.frame(
        """
        SELECT lead_hours, count(*) AS n_forecasts,
               avg(abs(q50_g_per_kwh - actual_g_per_kwh)) AS mae_g_per_kwh,
               avg(abs(persistence_g_per_kwh - actual_g_per_kwh)) AS persistence_mae_g_per_kwh,
               count(energinet_prognosis_g_per_kwh) AS n_prognosis,
               avg(abs(energinet_prognosis_g_per_kwh - actual_g_per_kwh)) AS prognosis_mae_g_per_kwh,
               avg(abs(q50_g_per_kwh - actual_g_per_kwh))
                   FILTER (WHERE energinet_prognosis_g_per_kwh IS NOT NULL) AS mae_with_prognosis_g_per_kwh
        FROM prediction_outcomes
        WHERE price_area = ? AND series = ? AND target_hour_utc >= ? AND target_hour_utc < ?
          AND actual_g_per_kwh IS NOT NULL
        GROUP BY lead_hours ORDER BY lead_hours
        """,
        [area_name, series, start, end],
    )


def covered_column(share: int) -> str:
    """Return the column of `coverage` for a band, as ``covered_80_percent``."""
    return f"covered_{share}_percent"


def coverage(view: View, area_name: str, series: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Return how often the measured value was inside each band, by range of leads.

    Columns: leads (text), n_forecasts, covered_50_percent, covered_80_percent, covered_90_percent.
    """
    covered = ", ".join(
        f"100 * avg((actual_g_per_kwh BETWEEN {low} AND {high})::INT) AS {covered_column(share)}"
        for share, (low, high) in BANDS.items()
    )
    ranges = " ".join(f"WHEN lead_hours <= {last} THEN '{first}–{last} h'" for first, last in COVERAGE_LEADS)
    return view.frame(
        f"""
        SELECT CASE {ranges} END AS leads, count(*) AS n_forecasts, {covered}
        FROM prediction_outcomes
        WHERE price_area = ? AND series = ? AND target_hour_utc >= ? AND target_hour_utc < ?
          AND actual_g_per_kwh IS NOT NULL AND lead_hours BETWEEN 1 AND {COVERAGE_LEADS[-1][1]}
        GROUP BY leads ORDER BY min(lead_hours)
        """,
        [area_name, series, start, end],
    )


# Accuracy is 100 - MAPE. An hour without emissions has no percentage error, so it is left out.
_ACCURACY = """
    count(*) AS n_forecasts, count(DISTINCT target_hour_utc) AS n_hours,
    100 - 100 * avg(abs(q50_g_per_kwh - actual_g_per_kwh) / actual_g_per_kwh) AS accuracy_percent,
    100 - 100 * avg(abs(persistence_g_per_kwh - actual_g_per_kwh) / actual_g_per_kwh)
        AS persistence_accuracy_percent
"""


def rolling_accuracy(view: View, area_name: str, series: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Return the accuracy of the headline leads over the 7 days up to the end of each UTC day.

    Columns: day_end_utc (end of the day, or ``end`` for the unfinished one), n_forecasts, n_hours,
    accuracy_percent, persistence_accuracy_percent.
    """
    return view.frame(
        f"""
        WITH scored AS (
            SELECT * FROM prediction_outcomes
            WHERE price_area = $1 AND series = $2
              AND lead_hours <= {_LAST_HEADLINE_LEAD} AND actual_g_per_kwh > 0
              AND target_hour_utc >= $3::TIMESTAMP - {interval(MEASURED_WITHIN)} AND target_hour_utc < $4
        ), days AS (
            SELECT DISTINCT least(date_trunc('day', target_hour_utc) + INTERVAL 1 DAY, $4::TIMESTAMP)
                AS day_end_utc
            FROM scored WHERE target_hour_utc >= $3
        )
        SELECT day_end_utc, {_ACCURACY}
        FROM days JOIN scored
          ON target_hour_utc < day_end_utc AND target_hour_utc >= day_end_utc - {interval(MEASURED_WITHIN)}
        GROUP BY day_end_utc ORDER BY day_end_utc
        """,
        [area_name, series, start, end],
    )


def monthly_accuracy(view: View, area_name: str) -> pd.DataFrame:
    """Return the accuracy of the headline leads by UTC month, model and series of forecasts.

    Columns: month_utc, model_version, series, n_forecasts, n_hours, accuracy_percent,
    persistence_accuracy_percent.
    """
    return view.frame(
        f"""
        SELECT date_trunc('month', target_hour_utc)::TIMESTAMP AS month_utc, model_version, series,
            {_ACCURACY}
        FROM prediction_outcomes
        WHERE price_area = ? AND lead_hours <= {_LAST_HEADLINE_LEAD} AND actual_g_per_kwh > 0
        GROUP BY month_utc, model_version, series ORDER BY month_utc, model_version, series
        """,
        [area_name],
    )


def champion(view: View, area_name: str) -> dict[str, object] | None:
    """Return the champion's row of `model_table`, or None before the first promotion."""
    rows = view.frame("SELECT * FROM champions WHERE price_area = ?", [area_name])
    return None if rows.empty else {str(name): rows[name].iloc[0] for name in rows}


def models(view: View, area_name: str) -> pd.DataFrame:
    """Return `model_table`, newest model first."""
    return view.frame(
        "SELECT * FROM model_table WHERE price_area = ? ORDER BY trained_at_utc DESC, model_version DESC",
        [area_name],
    )


def training_sets(view: View, area_name: str, model_version: str) -> pd.DataFrame:
    """Return the windows that a model was trained, validated and tested on, in time order."""
    return view.frame(
        "SELECT split, from_utc, to_utc, windows FROM model_training_sets "
        "WHERE price_area = ? AND model_version = ? ORDER BY from_utc",
        [area_name, model_version],
    )


def evaluations(view: View, area_name: str) -> pd.DataFrame:
    """Return `model_evaluations`, newest first, and within an evaluation the widest range of leads first."""
    return view.frame(
        "SELECT * FROM model_evaluations WHERE price_area = ? "
        "ORDER BY evaluated_at_utc DESC, evaluation_id, lead_to_hours - lead_from_hours DESC, "
        "lead_from_hours",
        [area_name],
    )


def newest_evaluations(view: View, area_name: str) -> pd.DataFrame:
    """Return the rows of the newest evaluation of each model, kind and cadence.

    The newest come first, then the six-hour ones before the others, then by leads.
    """
    return view.frame(
        """
        SELECT * FROM model_evaluations WHERE price_area = ?
        QUALIFY dense_rank() OVER (
            PARTITION BY model_version, kind, cadence ORDER BY evaluated_at_utc DESC, evaluation_id DESC
        ) = 1
        ORDER BY evaluated_at_utc DESC, model_version, kind, cadence <> 'six_hour', cadence,
            lead_from_hours, lead_to_hours
        """,
        [area_name],
    )


def near_and_far_error(view: View, area_name: str, near: int, far: int) -> pd.DataFrame:
    """Return the errors of leads up to ``near`` and beyond ``far`` by the newest evaluation that has both.

    Columns: kind, near, far (mean absolute errors in g/kWh). At most one row. Live six-hour forecasts come
    first, then those issued afterwards, then the test of a model.
    """
    return view.frame(
        """
        SELECT kind, sum(mae_g_per_kwh * n_forecasts) FILTER (WHERE lead_to_hours <= $2)
                / sum(n_forecasts) FILTER (WHERE lead_to_hours <= $2) AS near,
            sum(mae_g_per_kwh * n_forecasts) FILTER (WHERE lead_to_hours > $3)
                / sum(n_forecasts) FILTER (WHERE lead_to_hours > $3) AS far
        FROM model_evaluations
        WHERE price_area = $1 AND cadence = 'six_hour' AND lead_from_hours = lead_to_hours
            AND isfinite(mae_g_per_kwh) AND kind IN ('live', 'backfill', 'hindcast', 'test')
        GROUP BY evaluation_id, model_version, kind, evaluated_at_utc
        HAVING near IS NOT NULL AND far IS NOT NULL
        ORDER BY list_position(['live', 'backfill', 'hindcast', 'test'], kind), evaluated_at_utc DESC
        LIMIT 1
        """,
        [area_name, near, far],
    )


def has_rows(view: View, dataset: str) -> bool:
    """Return whether there is a row of a raw dataset, by its name in `dataset_freshness`."""
    rows = view.frame("SELECT row_count FROM dataset_freshness WHERE dataset = ?", [dataset])
    return bool((rows["row_count"] > 0).any())


def data_log(view: View) -> pd.DataFrame:
    """Return the newest 500 rows of `new_data_log`, newest first."""
    return view.frame("SELECT * FROM new_data_log ORDER BY fetched_at_utc DESC, dataset LIMIT 500")


def quarantine(view: View) -> pd.DataFrame:
    """Return the newest 500 quarantined values, newest first."""
    return view.frame(
        "SELECT * FROM quarantined_values ORDER BY quarantined_at_utc DESC, dataset, row_key LIMIT 500"
    )


def freshness(view: View) -> pd.DataFrame:
    """Return `dataset_freshness`: the newest row and the last good fetch of each dataset."""
    return view.frame("SELECT * FROM dataset_freshness ORDER BY dataset")


def ended(view: View) -> frozenset[str]:
    """Return the datasets of which the last fetch asked for nothing new, because the source has none."""
    rows = view.frame(
        "SELECT dataset FROM new_data_log GROUP BY dataset HAVING max(window_to_utc) < max(fetched_at_utc)"
    )
    return frozenset(rows["dataset"])
