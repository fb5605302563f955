"""What Dagster's UI shows about an asset: tables as tables, and every area in the headline."""

from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from co2_assets.contracts.areas import AREAS
from co2_assets.defs.assets.metadata import frame_value
from tests.support.pipeline_runs import HOUR, T0, run, simulated


def test_a_frame_becomes_a_table_with_typed_columns() -> None:
    frame = pd.DataFrame(
        {
            "price_area": ["DK", None],
            "hours": [6, 7],
            "mae": [12.34, np.nan],
            "scored": [True, False],
            "at": [pd.Timestamp("2024-06-01 06:00"), pd.NaT],
        }
    )
    table = frame_value(frame)
    assert {column.name: column.type for column in table.schema.columns} == {
        "price_area": "string",
        "hours": "int",
        "mae": "float",
        "scored": "bool",
        "at": "string",
    }
    assert [record.data for record in table.records] == [
        {"price_area": "DK", "hours": 6, "mae": 12.3, "scored": True, "at": "2024-06-01 06:00"},
        {"price_area": None, "hours": 7, "mae": None, "scored": False, "at": None},
    ]


def test_an_empty_frame_becomes_a_table_without_rows() -> None:
    table = frame_value(pd.DataFrame({"price_area": pd.Series(dtype="str")}))
    assert [column.name for column in table.schema.columns] == ["price_area"]
    assert table.records == []


def test_the_headline_of_the_evaluations_has_every_area_and_kind(home: Path) -> None:
    result = run(simulated(home, T0 + 6 * HOUR), assets=["aggregated_data", "model_evaluations"])
    (event,) = (
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("model_evaluations")
    )
    headline = event.materialization.metadata["headline"]
    assert isinstance(headline, dg.TableMetadataValue)
    rows = [(record.data["price_area"], record.data["kind"]) for record in headline.records]
    assert rows == sorted(rows)
    assert len(set(rows)) == len(rows)
    assert {area_name for area_name, _ in rows} == set(AREAS)
    assert len(rows) > len(AREAS)
