"""The state of the data, and the two questions that a supervisor asks."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.danish_time import span
from co2_assets.contracts.sources import SourceKind
from co2_dash.api.cached_response import reader_of, workers_of
from co2_dash.api.formats import spreadsheet
from co2_dash.api.parameters import AreaParameter
from co2_dash.api.problems import documented, problem
from co2_dash.api.schemas import DatasetState, Health, Readiness, Status
from co2_dash.api.serialize import origin_of, plain
from co2_dash.data.freshness import freshness_rows
from co2_dash.data.notices import notices
from co2_dash.data.queries import records
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

_FRESH = {"Cache-Control": "no-store"}
router = APIRouter(tags=["state"])
# That the process answers is asked with whatever parameters a supervisor adds.
probe = APIRouter(tags=["state"])


@router.get(
    "/api/v1/status",
    response_model=Status,
    responses={**documented(401, 422, 429, 503), **spreadsheet.RESPONSE},
    dependencies=[Depends(spreadsheet.asked_format)],
)
async def status(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """The state of the data in words and numbers; answers also when there are none."""
    view, state = reader_of(request).look(area_name)
    body = await workers_of(request).ordinary.run(_status, view, state)
    if spreadsheet.wants_csv(request):
        return Response(spreadsheet.as_csv(body), media_type=spreadsheet.MEDIA_TYPE, headers=_FRESH)
    return JSONResponse(body.model_dump(mode="json"), headers=_FRESH)


def _status(view: View | None, state: DataState) -> Status:
    age = state.forecast_age
    return Status(
        price_area=state.area.name,
        state=_state(state),
        notices=[f"{notice.title}. {notice.text}" for notice in notices(state)],
        now=state.now_utc,
        issue_time=state.issue_time_utc,
        issued_at=state.issued_at_utc,
        next_issue_due=state.next_due_utc,
        stale=state.stale,
        forecast_age_hours=None if age is None else round(age / timedelta(hours=1), 2),
        measured_until=state.measured_until_utc,
        model_version=state.model_version,
        degraded_causes=list(state.degraded_causes),
        datasets=[] if view is None else _datasets(view, state),
        origin=None if view is None else origin_of(state),
    )


def _state(state: DataState) -> Any:
    if not state.version or state.empty:
        return "empty"
    if state.issue_time_utc is None:
        return "no_forecast"
    return "stale" if state.stale else "ok"


def _datasets(view: View, state: DataState) -> list[DatasetState]:
    return [
        DatasetState(
            dataset=row["dataset"],
            newest=plain(row["newest_utc"]),
            rows=plain(row["row_count"]),
            last_ok_fetch=plain(row["last_ok_fetch_utc"]),
            late=_is_late(row, state),
            switched_off=row["state"] == "off",
        )
        for row in records(freshness_rows(view, state))
    ]


def _is_late(row: dict[str, Any], state: DataState) -> bool:
    # What never came is late too, as for the pipeline's own checks. A recording holds no rows of what it
    # does not serve; the other sources serve everything.
    if row["state"] == "off":
        return False
    is_amiss = row["state"] in ("late", "ahead of the clock")
    return is_amiss or (not row["row_count"] and state.source != SourceKind.ARCHIVE)


@probe.get("/healthz", response_model=Health)
async def healthz() -> Response:
    """The process answers."""
    return JSONResponse(Health().model_dump(), headers=_FRESH)


@router.get("/readyz", response_model=Readiness, responses=documented(422, 503))
async def readyz(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """There is a forecast that is neither stale nor ahead of the clock; otherwise 503 with the reason."""
    _, state = reader_of(request).look(area_name)
    if state.issue_time_utc is None or state.issued_at_utc is None:
        return problem(503, "There is no forecast yet.")
    if state.ahead_by is not None:
        return problem(503, f"The data are {span(state.ahead_by)} ahead of the clock.")
    if state.stale:
        issued = f"{state.issued_at_utc:%Y-%m-%d %H:%M} UTC"
        return problem(503, f"The newest forecast is stale: it was issued at {issued}.")
    body = Readiness(issue_time=state.issue_time_utc, issued_at=state.issued_at_utc).model_dump(mode="json")
    return JSONResponse(body, headers=_FRESH)
