"""The parameters that more than one endpoint takes, bounded; any other is refused."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Annotated, get_origin

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from co2_assets.contracts.areas import AREAS, DENMARK, area_named
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, NEAR_HOURS, Cadence
from co2_assets.contracts.time import COPENHAGEN, bounded_utc

# Measurements begin in 2017 at the earliest; a year at a time keeps an answer under a megabyte or two.
LONGEST_HISTORY = timedelta(days=366)
# The first faults are enough to mend a request; a refusal is no way to have an address sent back.
MOST_FAULTS_NAMED = 10
LONGEST_NAME_REPEATED = 50


def no_bare_number(value: object) -> object:
    """Refuse a number, which pydantic would take for seconds since 1970."""
    try:
        float(str(value))
    except ValueError:
        return value
    raise ValueError("write the time as ISO 8601 with its offset, as 2024-06-01T00:00:00Z")


# What an address makes of an offset whose + is not escaped.
_LOST_PLUS = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)? \d\d:?\d\d")
_TIME_OF_DAY = re.compile(r"\d\d:\d\d")


def _no_lost_plus(value: object) -> object:
    """Refuse a time whose + has become a space on its way, and say so."""
    if isinstance(value, str) and _LOST_PLUS.fullmatch(value):
        raise ValueError("a + in an address means a space: write it as %2B, as 2024-06-01T00:00:00%2B02:00")
    return value


def _danish_date(value: object) -> object:
    """Return a plain date as its beginning in Danish time; anything else as it is."""
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and "-" in value else None
    except ValueError:
        return value
    return value if day is None else datetime.combine(day, time.min, COPENHAGEN)


def _or_time_of_day(value: object, instant: ValidatorFunctionWrapHandler) -> object:
    """Return a time of day as such, and anything else as an instant."""
    if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
        return instant(value)
    try:
        return time.fromisoformat(value)
    except ValueError as error:
        raise ValueError("write the time of day as HH:MM, from 00:00 to 23:59") from error


# Naive UTC once it has been checked, and so near to now that sums and differences stay in the calendar.
IsoInstant = Annotated[
    AwareDatetime,
    BeforeValidator(_danish_date),
    BeforeValidator(_no_lost_plus),
    BeforeValidator(no_bare_number),
    AfterValidator(bounded_utc),
]


def _known_area(name: str) -> str:
    area = area_named(name)
    if area is None:
        raise ValueError(f"there is no such area; there are {', '.join(AREAS)}")
    return area.name


_AREAS_IN_WORDS = ", ".join(f"{area.name} ({area.title})" for area in AREAS.values())
_ENUM = {"enum": list(AREAS)}


async def _asked_area(
    request: Request,
    area: Annotated[
        str,
        AfterValidator(_known_area),
        Query(description=f"{_AREAS_IN_WORDS}; in any case of letters.", json_schema_extra=_ENUM),
    ] = DENMARK.name,
    price_area: Annotated[
        str | None,
        AfterValidator(lambda name: name if name is None else _known_area(name)),
        WithJsonSchema({"type": "string", **_ENUM}),
        Query(description="The old name of `area`.", deprecated=True),
    ] = None,
) -> str:
    """Return the area that was asked for, by either of the two names of the parameter."""
    if price_area is None:
        return area
    if "area" in request.query_params and price_area != area:
        raise refused_parameters([("area", "differs from price_area, its old name; give one of them")])
    return price_area


AreaParameter = Annotated[str, Depends(_asked_area)]
StartParameter = Annotated[
    IsoInstant | None,
    Query(
        description="First instant, ISO 8601 with offset, or a date, which begins in Danish time; 24 hours "
        "before `end` when left out."
    ),
]
EndParameter = Annotated[
    IsoInstant | None,
    Query(
        description="End, exclusive, ISO 8601 with offset, or a date, whose beginning in Danish time it is; "
        "the end of the measurements when left out."
    ),
]


def bounded(first: float, last: float) -> tuple[AfterValidator, WithJsonSchema]:
    """Return the check of a number of hours, whose refusal says what is allowed, and its documentation."""

    def check(hours: float) -> float:
        if not first <= hours <= last:
            raise ValueError(f"must be from {first:g} to {last:g} hours")
        return hours

    kind = "integer" if isinstance(first, int) else "number"
    return AfterValidator(check), WithJsonSchema({"type": kind, "minimum": first, "maximum": last})


SHORTEST_STRETCH_HOURS = 0.25
DurationParameter = Annotated[
    float, *bounded(SHORTEST_STRETCH_HOURS, HORIZON_HOURS), Query(description="Length of the stretch, h.")
]
HoursParameter = Annotated[
    Annotated[int, *bounded(1, HORIZON_HOURS)] | None,
    Query(
        description="How many hours from now on, the current one included. When left out, the first "
        f"{NEAR_HOURS} hours of the forecast, those already past included."
    ),
]
CadenceParameter = Annotated[
    Cadence,
    Query(
        description="six_hour: issued by the six-hour job; hourly: in the hours between; update: again "
        "within an hour."
    ),
]
OptionalCadenceParameter = Annotated[
    Cadence | None, Query(description="Only forecasts of this cadence; all, each by itself, when left out.")
]
BeforeParameter = Annotated[
    Annotated[IsoInstant, WrapValidator(_or_time_of_day)] | None,
    Query(
        description="Deadline: the stretch ends no later. ISO 8601 with offset; or a date, whose beginning "
        "in Danish time it is; or a time of day, as 07:00, the next in Danish time. "
        f"The end of the next {NEAR_HOURS} hours when left out; that of the forecast for a longer stretch."
    ),
]


async def no_other_parameters(request: Request) -> None:
    """Refuse with 422 a parameter that the endpoint does not have, or one that is given twice.

    Otherwise a misspelled name would be answered with the default, as if it had been understood.
    """
    dependant = request.scope["route"].dependant
    allowed, lists = _names_of(dependant), _lists_of(dependant)
    takes = f"this endpoint takes {', '.join(allowed)}" if allowed else "this endpoint takes no parameters"
    faults = []
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in allowed:
            faults.append((name[:LONGEST_NAME_REPEATED], f"there is no such parameter; {takes}"))
        elif times > 1 and name not in lists:
            faults.append((name, f"is given {times} times; give it once"))
    if faults:
        raise refused_parameters(faults[:MOST_FAULTS_NAMED])


def _names_of(dependant: Dependant) -> list[str]:
    """Return the query parameters of an endpoint and of all that it depends on."""
    own = [field.alias for field in dependant.query_params]
    return own + [name for inner in dependant.dependencies for name in _names_of(inner)]


def _lists_of(dependant: Dependant) -> set[str]:
    """Return the query parameters of an endpoint itself that may be given more than once."""
    return {
        field.alias for field in dependant.query_params if get_origin(field.field_info.annotation) is list
    }


def refused_parameters(faults: Iterable[tuple[str, str]]) -> RequestValidationError:
    """Return the error for parameters, each with what is wrong with it: a 422 that names them."""
    return RequestValidationError(
        [
            {"type": "value_error", "loc": ("query", name), "msg": words, "ctx": {"error": words}}
            for name, words in faults
        ]
    )
