"""What the Dagster UI shows beside an asset: its columns, its newest rows, a picture."""

import dagster as dg
import pandas as pd

from co2_assets.contracts import Table
from co2_assets.pipeline.run import Run

PREVIEW_ROWS = 5
OWNERS = ["team:carbon-intensity"]


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
    """Return what is known of a table before anything is materialized."""
    return {
        "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(table)),
        "dagster/table_name": dg.MetadataValue.text(table.name),
    }


def markdown_table(frame: pd.DataFrame) -> str:
    """Return the frame as a Markdown table, numbers to one decimal, missing values as a dash."""

    def cell(value: object) -> str:
        if value is None or (not isinstance(value, str) and pd.isna(value)):  # type: ignore[call-overload]
            return "–"
        if isinstance(value, float):
            return f"{value:,.1f}"
        if isinstance(value, pd.Timestamp):
            return f"{value:%Y-%m-%d %H:%M}"
        return str(value).replace("|", "/")

    if frame.empty:
        return "_no rows_"
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "|" + " --- |" * len(frame.columns)]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in frame.itertuples(index=False)]
    return "\n".join(lines)


def table_metadata(pipeline: Run, table: Table, order_by: str) -> dict[str, dg.MetadataValue]:
    """Return row count and newest rows of a table, ``order_by`` descending."""
    rows = int(pipeline.warehouse.read(f"SELECT count(*) AS n FROM {table.name}")["n"].iloc[0])
    newest = pipeline.warehouse.read(
        f"SELECT * FROM {table.name} ORDER BY {order_by} DESC LIMIT {PREVIEW_ROWS}"
    )
    return {
        "dagster/row_count": dg.MetadataValue.int(rows),
        "preview": dg.MetadataValue.md(markdown_table(newest)),
    }
