"""The grid of a table on a page: the order of its columns, their headings, the format of numbers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dash_ag_grid as dag
import pandas as pd

from co2_assets.contracts.time import hour_containing
from co2_dash.charts.all_charts import readable
from co2_dash.charts.chart import DataTable
from co2_dash.pages.components import Part

PAGE_SIZE = 10
# The columns by which rows are ordered in time.
_HOURS = ("hour_utc", "target_hour_utc")
# The columns of whole sentences with their smallest width in pixels. Their text is wrapped, so that the
# table does not become wide. On a phone the narrower ones leave room for a short column beside them.
_SENTENCES = {
    "reason": 210,
    "message": 210,
    "retrained": 210,
    "trigger": 210,
    "architecture": 300,
    "row_key": 340,
}
# Other text is short too, except a row as received.
_TEXT_WIDTH = 340
# Columns of numbers are narrow: their headings are wrapped and have no filter button. In pixels: two of
# them and a column of times fit on a phone. A letter of a heading is about eight pixels wide.
_NUMBER_WIDTH, _LETTER_WIDTH, _PADDING = 84, 8, 20


def grid(table: DataTable, rows: pd.DataFrame, now_utc: datetime) -> Part:
    """Return rows as a grid that can be sorted, filtered and paged; rows of hours open at ``now_utc``."""
    names = ordered(table, [str(name) for name in rows])
    shown = short_times(readable(rows, times="%Y-%m-%d %H:%M"))[names]
    records = shown.astype(object).where(shown.notna(), None).to_dict("records")
    return dag.AgGrid(
        rowData=records,
        columnDefs=[_column(name, rows[name]) for name in names],
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "filter": True,
            "minWidth": 70,
            "wrapHeaderText": True,
            "autoHeaderHeight": True,
        },
        columnSize="autoSize",
        dashGridOptions={
            "pagination": len(records) > PAGE_SIZE,
            "paginationPageSize": PAGE_SIZE,
            "paginationPageSizeSelector": False,
            "domLayout": "autoHeight",
            "autoSizePadding": 4,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
        },
        style={"height": None},
        **({"paginationGoTo": page} if (page := page_of(rows, now_utc)) else {}),
    )


def page_of(rows: pd.DataFrame, now_utc: datetime) -> int:
    """Return the page (from 0) with the hour of ``now_utc``, or with the last one; 0 for other rows."""
    name = next((name for name in _HOURS if name in rows), None)
    if name is None or not rows[name].is_monotonic_increasing:
        return 0
    row = int(rows[name].searchsorted(pd.Timestamp(hour_containing(now_utc))))
    return min(row, max(len(rows) - 1, 0)) // PAGE_SIZE


def ordered(table: DataTable, names: Sequence[str]) -> list[str]:
    """Return the columns from left to right: those shown first, then the others, times in UTC last."""
    first = [name for name in table.shown_first if name in names]
    others = [name for name in names if name not in first]
    return first + sorted(others, key=lambda name: name.endswith("_utc"))


def short_times(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with Danish times to the minute and months without days.

    Danish times keep their offset from UTC when it is not the same in all rows.
    """
    short = rows.copy()
    for name in rows:
        if str(name).endswith("_danish"):
            one_offset = rows[name].str[-6:].nunique() < 2
            clock = rows[name].str[:16].str.replace("T", " ")
            short[name] = clock if one_offset else clock + " " + rows[name].str[-6:]
        elif name == "month_utc":
            short[name] = rows[name].str[:7]
    return short


def _column(name: str, values: pd.Series) -> dict[str, Any]:
    column: dict[str, Any] = {"field": name, "headerName": heading_of(name), "headerTooltip": name}
    if pd.api.types.is_numeric_dtype(values):
        longest = max(map(len, heading_of(name).split()))
        width = max(_NUMBER_WIDTH, longest * _LETTER_WIDTH + _PADDING)
        column |= {"type": "rightAligned", "maxWidth": width, "filter": False}
    elif name not in _SENTENCES:
        column["maxWidth"] = _TEXT_WIDTH
    if pd.api.types.is_float_dtype(values):
        number = f"d3.format(',.{decimals_of(name)}f')(params.value)"
        column["valueFormatter"] = {"function": f"params.value == null ? '' : {number}"}
    if name in _SENTENCES:
        column |= {"wrapText": True, "autoHeight": True, "suppressAutoSize": True}
        column |= {"width": _SENTENCES[name], "minWidth": _SENTENCES[name], "flex": 1}
        column["cellStyle"] = {"lineHeight": "1.4", "paddingTop": "0.6rem", "paddingBottom": "0.6rem"}
    return column


# The number of decimals by the end of the column's name; one decimal for all others.
_DECIMALS = (("_loss", 3), ("r2", 2), ("skill_persistence", 2), ("skill_prognosis", 2), ("_mw", 0))


def decimals_of(column: str) -> int:
    """Return the number of decimals of all numbers of a column."""
    return next((decimals for ending, decimals in _DECIMALS if column.endswith(ending)), 1)


_UNITS = (
    ("_g_per_kwh", "g/kWh"),
    ("_percent", "%"),
    ("_hours", "h"),
    ("_mw", "MW"),
    ("_utc", "UTC"),
    ("_danish", "Danish time"),
    ("_seconds", "s"),
    ("_s", "s"),
)
# The headings of columns whose name is not plain enough.
_HEADINGS = {
    "hour_danish": "Danish time",
    "target_hour_danish": "Danish time",
    "target_hour_utc": "Hour (UTC)",
    "co2_g_per_kwh": "Carbon intensity (g/kWh)",
    "q50_g_per_kwh": "Forecast (g/kWh)",
    "q05_g_per_kwh": "90 % band from (g/kWh)",
    "q95_g_per_kwh": "90 % band to (g/kWh)",
    "q10_g_per_kwh": "80 % band from (g/kWh)",
    "q90_g_per_kwh": "80 % band to (g/kWh)",
    "q25_g_per_kwh": "50 % band from (g/kWh)",
    "q75_g_per_kwh": "50 % band to (g/kWh)",
    "persistence_g_per_kwh": "Persistence (g/kWh)",
    "energinet_prognosis_g_per_kwh": "Energinet (g/kWh)",
    "actual_g_per_kwh": "Measured (g/kWh)",
    "leads": "Hours ahead",
    "lead_hours": "Hours ahead",
    "lead_from_hours": "First hour ahead",
    "lead_to_hours": "Last hour ahead",
    "n_hours": "Hours scored",
    "n_forecasts": "Forecast values",
    "n_prognosis": "Values with Energinet’s prognosis",
    "mae_g_per_kwh": "Mean error (g/kWh)",
    "rmse_g_per_kwh": "Root mean squared error (g/kWh)",
    "mse": "Mean squared error (g²/kWh²)",
    "mape_percent": "Mean percentage error (%)",
    "r2": "R²",
    "persistence_mae_g_per_kwh": "Mean error of persistence (g/kWh)",
    "prognosis_mae_g_per_kwh": "Mean error of Energinet (g/kWh)",
    "mae_with_prognosis_g_per_kwh": "Mean error on Energinet’s hours (g/kWh)",
    "skill_persistence": "Skill against persistence (1 is perfect)",
    "skill_prognosis": "Skill against Energinet (1 is perfect)",
    "persistence_accuracy_percent": "Accuracy of persistence (%)",
    "coverage_50_percent": "Inside the 50 % band (%)",
    "coverage_80_percent": "Inside the 80 % band (%)",
    "coverage_90_percent": "Inside the 90 % band (%)",
    "covered_50_percent": "Inside the 50 % band (%)",
    "covered_80_percent": "Inside the 80 % band (%)",
    "covered_90_percent": "Inside the 90 % band (%)",
    "validation_mae_g_per_kwh": "Validation error (g/kWh)",
    "test_mae_g_per_kwh": "Test error when trained (g/kWh)",
    "test_persistence_mae_g_per_kwh": "Persistence when trained (g/kWh)",
    "challenger_mae_g_per_kwh": "Error when compared (g/kWh)",
    "champion_mae_g_per_kwh": "Champion’s error when compared (g/kWh)",
    "production_ge_100_mw": "Central plants (MW)",
    "production_lt_100_mw": "Decentral plants (MW)",
    "net_exchange_mw": "Net import (MW)",
    "parameters": "Weights",
    "training_seconds": "Training time (s)",
    "row_count": "Rows held",
    "rows_received": "Rows received",
    "hours_behind_now": "Behind now (h)",
    "last_ok_fetch_utc": "Last good fetch (UTC)",
    "row_key": "Row",
    "row_json": "Row as received",
    "column_name": "Column",
    "duration_s": "Duration (s)",
}


def heading_of(column: str) -> str:
    """Return the heading of a column, with its unit or time zone in brackets."""
    if column in _HEADINGS:
        return _HEADINGS[column]
    for ending, unit in _UNITS:
        if column.endswith(ending):
            name = column.removesuffix(ending).replace("_", " ")
            return f"{name[:1].upper()}{name[1:]} ({unit})"
    name = column.replace("_", " ")
    return f"{name[:1].upper()}{name[1:]}"
