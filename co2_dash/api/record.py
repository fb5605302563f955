"""The public record: every live forecast beside what came true, by month, and a scorecard of them."""

import io
from datetime import datetime
from typing import Annotated, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Depends, Path, Request
from pyarrow.csv import write_csv
from pydantic import Field
from starlette.responses import Response

from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.schema import Column
from co2_assets.contracts.tables import PREDICTIONS
from co2_dash.api.cached_response import Refusal, answer, folder_of
from co2_dash.api.formats import spreadsheet
from co2_dash.api.parameters import AreaParameter
from co2_dash.api.problems import documented
from co2_dash.api.schemas import Answer, Origin, PriceArea
from co2_dash.api.serialize import all_shaped, origin_of
from co2_dash.data import record
from co2_dash.data.queries import records
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState
from co2_dash.http import PARQUET

LICENCE = "CC BY 4.0"
LICENCE_URL = "https://creativecommons.org/licenses/by/4.0/"
# In every row, so that nothing made up can pass for live.
SOURCE_COLUMN = "source"
# Of the columns that no forecast has: the unit and the meaning.
_ADDED = {
    "actual_g_per_kwh": ("g/kWh", "What was measured of the hour; empty until it is."),
    SOURCE_COLUMN: ("", "live, archive (recorded) or simulator (made up, none is real)."),
}
_PROBLEMS = documented(401, 404, 422, 429, 503)
router = APIRouter(prefix="/api/v1", tags=["public record"], responses=_PROBLEMS)


class Month(Answer):
    """What was issued in one month, and where its files are."""

    month: str = Field(description="Month of issue in UTC, YYYY-MM.")
    issues: int = Field(description="How many forecasts were issued.")
    forecasts: int = Field(description="How many hours they forecast, together.")
    with_outcome: int = Field(description="How many of those were measured since.")
    parquet: str = Field(description="Address of the file, beside this one's.")
    csv: str = Field(description="Address of the same as CSV.")


class ColumnOfRecord(Answer):
    """A column of the files."""

    name: str = Field(description="Its name.")
    unit: str = Field(description="Its unit; empty where it has none.")
    description: str = Field(description="What it says.")


class Record(Answer):
    """All months with the meaning of the columns; no forecast is left out or changed afterwards."""

    price_area: PriceArea
    licence: str = Field(description="Licence of the files.")
    licence_url: str = Field(description="Its text.")
    months: list[Month]
    columns: list[ColumnOfRecord]
    origin: Origin


class Score(Answer):
    """How the live forecasts of one span of leads did over some days."""

    window_days: int = Field(description="Days back from now.")
    lead_from_hours: int = Field(description="First lead, h.")
    lead_to_hours: int = Field(description="Last lead, h.")
    n_forecasts: int = Field(description="Forecast values scored.")
    mae_g_per_kwh: float = Field(description="Mean absolute error of the median, g CO2/kWh.")
    persistence_mae_g_per_kwh: float | None = Field(
        description="That of persistence on the same hours, g CO2/kWh."
    )
    skill_persistence: float | None = Field(description="1 - MAE / MAE of persistence; 1 is perfect.")
    n_prognosis: int = Field(description="Values of which Energinet's prognosis was known at issue.")
    mae_with_prognosis_g_per_kwh: float | None = Field(description="Our error on those, g CO2/kWh.")
    prognosis_mae_g_per_kwh: float | None = Field(description="Energinet's error on those, g CO2/kWh.")
    coverage_80_percent: float = Field(description="Share of hours inside the 80 % band, %.")
    coverage_90_percent: float = Field(description="Share of hours inside the 90 % band, %.")


class Scorecard(Answer):
    """The live forecasts held against what came true, beside persistence and Energinet's prognosis."""

    price_area: PriceArea
    scores: list[Score]
    origin: Origin


class ParquetResponse(Response):
    """Tells OpenAPI what kind of answer it is."""

    media_type = PARQUET


class CsvResponse(Response):
    """Tells OpenAPI what kind of answer it is."""

    media_type = spreadsheet.MEDIA_TYPE


MonthParameter = Annotated[
    str, Path(pattern=r"^(19[7-9]\d|20\d\d|21\d\d)-(0[1-9]|1[0-2])$", description="Month of issue, YYYY-MM.")
]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {PARQUET: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/record", response_model=Record)
async def months_of_record(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """The months of the record with the addresses of their files, and what each column means."""

    def build(view: View, state: DataState) -> Record:
        query = "" if area_name == DENMARK.name else f"?area={area_name}"
        found = record.months(folder_of(request, state), view, area_name)
        months = [
            Month(
                month=(month := f"{row['month_utc']:%Y-%m}"),
                issues=row["issues"],
                forecasts=row["forecasts"],
                with_outcome=row["with_outcome"],
                parquet=f"record/{month}.parquet{query}",
                csv=f"record/{month}.csv{query}",
            )
            for row in records(found)
        ]
        return Record(
            price_area=state.area.name,
            licence=LICENCE,
            licence_url=LICENCE_URL,
            months=months,
            columns=_dictionary(),
            origin=origin_of(state),
        )

    return await answer(request, area_name, "record", build, takes_long=True)


def _dictionary() -> list[ColumnOfRecord]:
    known: dict[str, Column] = {column.name: column for column in PREDICTIONS.columns}

    def entry(name: str) -> ColumnOfRecord:
        if name in _ADDED:
            unit, description = _ADDED[name]
        else:
            unit, description = known[name].unit, known[name].description
        return ColumnOfRecord(name=name, unit=unit, description=description)

    return [entry(name) for name in (*record.COLUMNS, SOURCE_COLUMN)]


@router.get("/record/{month}.parquet", response_class=ParquetResponse, responses=_FILE)
async def parquet_of_record(
    request: Request, month: MonthParameter, area_name: AreaParameter = DENMARK.name
) -> Response:
    """One month of the record as a Parquet file."""

    def build(view: View, state: DataState) -> bytes:
        file = io.BytesIO()
        _month(request, view, state, month).to_parquet(file, index=False)
        return file.getvalue()

    return await answer(
        request, area_name, ("record", month, "parquet"), build, takes_long=True, media_type=PARQUET
    )


@router.get("/record/{month}.csv", response_class=CsvResponse, responses=spreadsheet.RESPONSE)
async def csv_of_record(
    request: Request, month: MonthParameter, area_name: AreaParameter = DENMARK.name
) -> Response:
    """One month of the record as CSV."""

    def build(view: View, state: DataState) -> bytes:
        return _csv(_month(request, view, state, month))

    media_type = f"{spreadsheet.MEDIA_TYPE}; charset=utf-8"
    return await answer(
        request, area_name, ("record", month, "csv"), build, takes_long=True, media_type=media_type
    )


def _csv(rows: pd.DataFrame) -> bytes:
    """Return rows as CSV; pandas takes five times as long, in which the server answers nobody else."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    for number, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            seconds = table.column(number).cast(pa.timestamp("s"), safe=False)
            table = table.set_column(number, field.name, pc.strftime(seconds, "%Y-%m-%dT%H:%M:%SZ"))
    file = io.BytesIO()
    write_csv(table, file)
    return file.getvalue()


def _month(request: Request, view: View, state: DataState, month: str) -> pd.DataFrame:
    """Return a month's rows, each with its source."""
    start = datetime.strptime(month, "%Y-%m")  # noqa: DTZ007 -- naive UTC
    rows = record.issued_in(folder_of(request, state), view, state.area.name, start)
    if rows.empty:
        raise Refusal(
            404, f"No live forecast of {state.area.title} was issued in {month}; see /api/v1/record."
        )
    return rows.assign(**{SOURCE_COLUMN: state.source})


@router.get(
    "/scorecard",
    response_model=Scorecard,
    responses=spreadsheet.RESPONSE,
    dependencies=[Depends(spreadsheet.asked_format)],
)
async def scorecard(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """How the live forecasts did over the last week, month and year, by span of leads."""

    def build(view: View, state: DataState) -> Scorecard:
        rows = record.scores(folder_of(request, state), view, area_name, state.now_utc)
        rows["skill_persistence"] = 1 - rows["mae_g_per_kwh"] / rows["persistence_mae_g_per_kwh"]
        return Scorecard(price_area=state.area.name, scores=all_shaped(Score, rows), origin=origin_of(state))

    return await answer(request, area_name, "scorecard", build, takes_long=True)
