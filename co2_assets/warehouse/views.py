"""The views over the tables: outcomes, champions, the current forecast, the freshness of each dataset."""

from co2_assets.contracts.datasets import DATASETS
from co2_assets.contracts.forecast_spec import CLOCK_TOLERANCE, Cadence, ForecastKind
from co2_assets.contracts.tables import FETCH_OK, PROMOTED
from co2_assets.warehouse.sql import interval

# The view with the newest row and the last fetch of each raw dataset.
FRESHNESS_VIEW = "dataset_freshness"

# Order of promoted models: the newest first. Two may have been trained at the same instant, for the clock
# of a replay stands still: then the one that was compared with the other comes first.
NEWEST_CHAMPION_FIRST = f"""
    trained_at_utc DESC,
    model_version IN (
        SELECT compared_with FROM model_table
        WHERE decision = '{PROMOTED}' AND compared_with IS NOT NULL
    ),
    model_version DESC
"""


def newest_forecast_where(condition: str, table: str = "predictions") -> str:
    """Return SQL for the rows of the forecast issued last in each area.

    ``condition`` chooses among the rows of ``table``, which it calls ``p``. The table has the columns of
    `predictions`.
    """
    return f"""
        SELECT p.* FROM {table} p
        LEFT JOIN model_table m USING (price_area, model_version)
        WHERE {condition}
        QUALIFY dense_rank() OVER (
            PARTITION BY p.price_area
            ORDER BY p.issued_at_utc DESC,
                p.model_version IN (SELECT model_version FROM champions) DESC,
                m.trained_at_utc DESC NULLS LAST, p.model_version DESC
        ) = 1
    """


def outcomes_of(table: str) -> str:
    """Return SQL for the rows of ``table``, which has the columns of `predictions`, with what came true.

    ``series`` is `series_name` of kind and cadence.
    """
    return f"""
        SELECT p.*, a.co2_g_per_kwh AS actual_g_per_kwh,
            p.kind || if(p.cadence = '{Cadence.SIX_HOUR}', '', '-' || p.cadence) AS series
        FROM {table} p
        LEFT JOIN aggregated_data a
          ON a.price_area = p.price_area AND a.hour_utc = p.target_hour_utc
    """


# Views over the tables, in the order in which they must be created.
VIEWS: dict[str, str] = {
    # Measurements are joined to forecasts here and stored nowhere: a forecast is never rewritten.
    "prediction_outcomes": outcomes_of("predictions"),
    # The champion of each area is the model promoted last.
    "champions": f"""
        SELECT * FROM model_table WHERE decision = '{PROMOTED}'
        QUALIFY row_number() OVER (PARTITION BY price_area ORDER BY {NEWEST_CHAMPION_FIRST}) = 1
    """,
    # The newest live forecast of each area. Where two models issued one at the same instant, it is the
    # champion's; where neither is the champion, that of the model trained last.
    "current_forecast": newest_forecast_where(f"p.kind = '{ForecastKind.LIVE}'"),
    # Of each raw table: its newest time, its number of rows, and when a fetch last succeeded.
    FRESHNESS_VIEW: " UNION ALL ".join(
        f"""
        SELECT '{dataset.name}' AS dataset, max({dataset.time_column}) AS newest_utc,
            count(*) AS row_count, (
                SELECT max(fetched_at_utc) FROM new_data_log
                WHERE dataset = '{dataset.name}' AND outcome = '{FETCH_OK}'
            ) AS last_ok_fetch_utc
        FROM {dataset.name}
        """
        for dataset in DATASETS
    ),
}

# Views that differ in a snapshot, which knows its own time as the warehouse does not. A forecast that
# was issued while the clock was ahead stays in `predictions`, but does not hide a later one.
SNAPSHOT_VIEWS: dict[str, str] = {
    "current_forecast": newest_forecast_where(
        f"p.kind = '{ForecastKind.LIVE}' AND p.issued_at_utc <= "
        f"(SELECT as_of_utc FROM snapshot_info) + {interval(CLOCK_TOLERANCE)}"
    ),
}
