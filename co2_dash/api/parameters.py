"""The parameters that more than one endpoint takes, bounded."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_dash.api.cached_response import Refusal

# Measurements begin in 2017 at the earliest; a year at a time keeps an answer under a megabyte or two.
LONGEST_HISTORY = timedelta(days=366)


def _no_bare_number(value: object) -> object:
    """Refuse a number, which pydantic would take for seconds since 1970."""
    try:
        float(str(value))
    except ValueError:
        return value
    raise ValueError("write the time as ISO 8601 with its offset, as 2024-06-01T00:00:00Z")


IsoInstant = Annotated[AwareDatetime, BeforeValidator(_no_bare_number)]


def _known_area(name: str) -> str:
    if name not in AREAS:
        raise ValueError(f"there is no such price area; there are {', '.join(AREAS)}")
    return name


PriceAreaParameter = Annotated[
    str,
    AfterValidator(_known_area),
    Query(
        description=f"Price area: {', '.join(f'{a.name} ({a.title})' for a in AREAS.values())}.",
        json_schema_extra={"enum": list(AREAS)},
    ),
]
StartParameter = Annotated[
    IsoInstant | None,
    Query(description="First instant, ISO 8601 with offset; 24 hours before `end` when left out."),
]
EndParameter = Annotated[
    IsoInstant | None,
    Query(description="End, exclusive, ISO 8601 with offset; the end of the measurements when left out."),
]
DurationParameter = Annotated[
    float, Query(ge=0.25, le=HORIZON_HOURS, description="Length of the stretch, h.", allow_inf_nan=False)
]
BeforeParameter = Annotated[
    IsoInstant | None,
    Query(
        description="Deadline, ISO 8601 with offset: the stretch ends no later. "
        "The end of the forecast when left out."
    ),
]


def utc(instant: datetime) -> datetime:
    """Return an aware instant as naive UTC; refuses with 422 what lies outside the calendar."""
    try:
        return instant.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise Refusal(422, "The time lies outside the years 1 to 9999.") from error
