"""The parameters that more than one endpoint takes, bounded."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator

from co2_dash.api.cached import Refusal

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
PriceAreaParameter = Annotated[
    Literal["DK"],
    Query(description="Price area; DK, the whole of Denmark, is the only one there is."),
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
    float, Query(ge=0.25, le=24, description="Length of the stretch, h.", allow_inf_nan=False)
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
