"""What Dagster's UI shows about an asset: the columns of its table, the number of rows, the newest rows."""

from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd

from co2_assets.contracts import Table
from co2_assets.pipeline.run import Run
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.transaction import Transaction

PREVIEW_ROWS = 5
OWNERS = ["team:carbon-intensity"]
# The two groups of Dagster's graph: what is fetched, and what is made of it.
FETCHED = "raw_energy_data"
FORECAST = "forecast"


def column_schema(table: Table) -> dg.TableSchema:
    """Return the table's columns with their units, as Dagster's UI lists them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.kind.value + (f" [{column.unit}]" if column.unit else ""),
                description=column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable and column.name not in table.key
                ),
            )
            for column in table.columns
        ],
        constraints=dg.TableConstraints(other=[f"key ({', '.join(table.key)})"]),
    )


def definition_metadata(table: Table) -> dict[str, dg.MetadataValue]:
    """Return the metadata of a table that do not depend on its content."""
    return {
        "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(table)),
        "dagster/table_name": dg.MetadataValue.text(table.name),
    }


def frame_value(frame: pd.DataFrame) -> dg.TableMetadataValue:
    """Return the frame as a table for Dagster's UI: numbers to one decimal, times to the minute."""
    types = [(str(name), _column_type(frame[name])) for name in frame.columns]
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({str(name): _cell(value) for name, value in row.items()})
            for row in frame.to_dict("records")
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(name=name, type=kind) for name, kind in types]),
    )


def _column_type(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "bool"
    if pd.api.types.is_integer_dtype(values):
        return "int"
    return "float" if pd.api.types.is_float_dtype(values) else "string"


def _cell(value: Any) -> str | int | float | bool | None:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return None
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 1)
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


def table_metadata(run: Run, table: Table, order_by: str) -> dict[str, dg.MetadataValue]:
    """Return the row count and the newest rows of a table.

    ``order_by`` is an SQL list of columns; the rows are taken in descending order of its last column.
    """
    with run.warehouse.open_reading() as reading:
        newest = reading.read(f"SELECT * FROM {table.name} ORDER BY {order_by} DESC LIMIT {PREVIEW_ROWS}")
        rows = row_count(reading, table)
    return {**rows, "preview": frame_value(newest)}


def row_count(readable: Warehouse | Transaction, table: Table) -> dict[str, dg.MetadataValue]:
    """Return the number of rows of a table, under the name by which Dagster's UI knows it."""
    rows = int(readable.read(f"SELECT count(*) AS n FROM {table.name}")["n"].iloc[0])
    return {"dagster/row_count": dg.MetadataValue.int(rows)}
