"""SQL text and query results: quoting, and data frames with the types that the code expects."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import duckdb
import pandas as pd
from pandas.api.types import is_object_dtype

Parameters = Sequence[object] | Mapping[str, object]


def query_frame(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
    """Run one query and return its rows, in the order of the query, with a plain index.

    Times are naive UTC ``datetime64[us]``, text is ``str``, numbers are float64 with NaN for null. An
    integer or boolean column with a null has the nullable type of pandas.
    """
    result = connection.execute(sql, parameters)
    text = {name for name, kind, *_ in result.description or () if str(kind) in ("VARCHAR", "STRING")}
    frame = result.df()
    # DuckDB gives a text column that holds only nulls as object.
    objects = [name for name, kind in frame.dtypes.items() if is_object_dtype(kind) and name in text]
    return frame.astype(dict.fromkeys(objects, "str")) if objects else frame


def quoted(name: str) -> str:
    """Return ``name`` as an SQL identifier: some columns have the name of an SQL keyword."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: object) -> str:
    """Return ``value`` as an SQL text literal, for statements that take no parameters."""
    return "'" + str(value).replace("'", "''") + "'"


def interval(span: timedelta) -> str:
    """Return ``span`` as an SQL interval."""
    return f"INTERVAL '{span // timedelta(seconds=1)} seconds'"
