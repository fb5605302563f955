"""SQL text and its results: quoting, and frames with the types that the code expects."""

from collections.abc import Mapping, Sequence

import duckdb
import pandas as pd

Parameters = Sequence[object] | Mapping[str, object]


def query_frame(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
    """Run one query and return its rows, in its order, under a plain index.

    Times are naive UTC ``datetime64[us]``, text is ``str``, numbers are float64 with NaN for null;
    an integer or boolean column that holds a null has pandas' nullable type.
    """
    result = connection.execute(sql, parameters)
    text = [name for name, kind, *_ in result.description or () if str(kind) in ("VARCHAR", "STRING")]
    frame = result.df()
    # A text column without a single value would come as object.
    return frame.astype(dict.fromkeys(text, "str"))


def quoted(name: str) -> str:
    """Return ``name`` as an SQL identifier: some columns are called like a word of SQL."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: object) -> str:
    """Return ``value`` as SQL text, for statements that take no parameters."""
    return "'" + str(value).replace("'", "''") + "'"
