"""The views over the tables: outcomes, champions, the current forecast, how far each dataset has come."""

from co2_assets.contracts.datasets import DATASETS

# Which view says how far each raw dataset has come.
FRESHNESS_VIEW = "dataset_freshness"

# Of promoted models the newest comes first; of two trained at the same instant (a replay stands
# still), the one that was measured against the other.
NEWEST_CHAMPION_FIRST = """
    trained_at_utc DESC,
    model_version IN (
        SELECT compared_with FROM model_table
        WHERE decision = 'promoted' AND compared_with IS NOT NULL
    ),
    model_version DESC
"""


def _current_forecast(condition: str) -> str:
    return f"""
        SELECT p.* FROM predictions p
        LEFT JOIN model_table m USING (price_area, model_version)
        WHERE {condition}
        QUALIFY dense_rank() OVER (
            PARTITION BY p.price_area
            ORDER BY p.issue_time_utc DESC,
                p.model_version IN (SELECT model_version FROM champions) DESC,
                m.trained_at_utc DESC NULLS LAST, p.model_version DESC
        ) = 1
    """


# Views over the tables, in the order they must be made.
VIEWS: dict[str, str] = {
    # Outcomes are joined to forecasts here and nowhere stored, so no forecast is ever rewritten.
    "prediction_outcomes": """
        SELECT p.*, a.co2_g_per_kwh AS actual_g_per_kwh
        FROM predictions p
        LEFT JOIN aggregated_data a
          ON a.price_area = p.price_area AND a.hour_utc = p.target_hour_utc
    """,
    # The champion of each area: the last one promoted.
    "champions": f"""
        SELECT * FROM model_table WHERE decision = 'promoted'
        QUALIFY row_number() OVER (PARTITION BY price_area ORDER BY {NEWEST_CHAMPION_FIRST}) = 1
    """,
    # The newest live forecast of each area; where two models issued at the same hour, the
    # champion's, else the later trained one's.
    "current_forecast": _current_forecast("p.kind = 'live'"),
    # Of each raw table: its newest time, its number of rows and when it was last fetched well.
    FRESHNESS_VIEW: " UNION ALL ".join(
        f"""
        SELECT '{dataset.name}' AS dataset, max({dataset.time_column}) AS newest_utc,
            count(*) AS row_count, (
                SELECT max(fetched_at_utc) FROM new_data_log
                WHERE dataset = '{dataset.name}' AND outcome = 'ok'
            ) AS last_ok_fetch_utc
        FROM {dataset.name}
        """
        for dataset in DATASETS
    ),
}

# Views that are others in a snapshot, for it knows when it is of and the warehouse does not. What a
# clock that ran ahead issued stays in `predictions`, and hides nothing that was issued since.
SNAPSHOT_VIEWS: dict[str, str] = {
    "current_forecast": _current_forecast(
        "p.kind = 'live' AND p.issue_time_utc <= (SELECT as_of_utc FROM snapshot_info)"
    ),
}
