"""Numbers of a snapshot that monitoring asks for, and no page."""

import pandas as pd

from co2_dash.data.snapshot_store import View


def quarantined(view: View) -> pd.DataFrame:
    """Return how many values are in quarantine. Columns: dataset, n_values."""
    return view.frame(
        "SELECT dataset, count(*) AS n_values FROM quarantined_values WHERE released_at_utc IS NULL "
        "GROUP BY dataset ORDER BY dataset"
    )


def measured_now(view: View, area_name: str) -> pd.DataFrame:
    """Return the newest measured hour, at most one row. Columns: hour_utc, co2_g_per_kwh."""
    return view.frame(
        """
        SELECT hour_utc, co2_g_per_kwh FROM aggregated_data
        WHERE price_area = ? AND isfinite(co2_g_per_kwh) ORDER BY hour_utc DESC LIMIT 1
        """,
        [area_name],
    )


def live_scores(view: View, area_name: str) -> pd.DataFrame:
    """Return the newest scores of the live six-hour forecasts, over ranges of leads of the last 7 days.

    Columns: lead_from_hours, lead_to_hours, n_hours, mae_g_per_kwh, persistence_mae_g_per_kwh,
    accuracy_percent, coverage_80_percent.
    """
    return view.frame(
        """
        SELECT lead_from_hours, lead_to_hours, n_hours, mae_g_per_kwh, persistence_mae_g_per_kwh,
            accuracy_percent, coverage_80_percent
        FROM model_evaluations
        WHERE price_area = ? AND kind = 'live' AND cadence = 'six_hour' AND lead_from_hours < lead_to_hours
        QUALIFY row_number() OVER (
            PARTITION BY lead_from_hours, lead_to_hours ORDER BY window_to_utc DESC, evaluated_at_utc DESC
        ) = 1
        ORDER BY lead_from_hours, lead_to_hours
        """,
        [area_name],
    )
