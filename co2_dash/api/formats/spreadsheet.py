"""Any of our own answers as CSV, where ``format=csv`` or the header Accept asks for it.

An answer with a list, such as the hours of a forecast, has a row for each. What is true of the whole answer,
its origin and attribution too, stands in the last columns of every row: nothing made up can pass for live.
"""

import csv
import io
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from fastapi import Query, Request
from pydantic import BaseModel

MEDIA_TYPE = "text/csv"
RESPONSE: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}}
Path = tuple[str, ...]


async def asked_format(
    request: Request,
    chosen: Annotated[
        Literal["json", "csv"] | None,
        Query(alias="format", description="json or csv; what the header Accept prefers when left out."),
    ] = None,
) -> None:
    """Note whether the answer is to be CSV; see `wants_csv`."""
    request.state.as_csv = (
        _prefers_csv(request.headers.get("accept", "")) if chosen is None else chosen == "csv"
    )


def wants_csv(request: Request) -> bool:
    """Return whether CSV was asked for of an endpoint that has it."""
    return bool(getattr(request.state, "as_csv", False))


def _prefers_csv(accept: str) -> bool:
    """Return whether a header gives CSV a greater weight than JSON, or names it alone (RFC 9110, 12.5.1)."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weights[kind] = next((_weight(text[2:]) for text in parameters if text.startswith("q=")), 1.0)
    as_json = max(weights.get(kind, 0.0) for kind in ("application/json", "application/*", "*/*"))
    named = weights.get(MEDIA_TYPE, weights.get("text/*", 0.0))
    # What has named CSV as much as anything else has named it on purpose.
    return named > 0 and (named > as_json or (named == as_json and "application/json" not in weights))


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def as_csv(answer: BaseModel) -> bytes:
    """Return an answer as CSV with a header line, in UTF-8, its lines ended as RFC 4180 has them."""
    shape = type(answer)
    lists = {name: item for name, field in shape.model_fields.items() if (item := _item_of(field.annotation))}
    # Each shape of ours has one list of parts at most.
    name, item = next(iter(lists.items()), (None, None))
    whole = [path for path in _paths(shape) if path[0] != name]
    own = list(_paths(item)) if item is not None else []
    taken = {_column(path) for path in own}
    header = [_column(path) for path in own]
    header += [_column(path) if _column(path) not in taken else f"answer_{_column(path)}" for path in whole]
    values = answer.model_dump(mode="json")
    tail = [_cell(values, path) for path in whole]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    if name is None:
        writer.writerow(tail)
    else:
        writer.writerows([*(_cell(row, path) for path in own), *tail] for row in values[name])
    return text.getvalue().encode()


def _paths(shape: type[BaseModel]) -> Iterator[Path]:
    """Yield the way to each value of a shape, those of its parts included, whether or not they are there."""
    for name, field in shape.model_fields.items():
        part = _shape_in(field.annotation)
        if part is None:
            yield (name,)
        else:
            yield from ((name, *path) for path in _paths(part))


def _column(path: Path) -> str:
    return "_".join(path)


def _cell(values: Any, path: Path) -> object:
    for name in path:
        if values is None:
            return None
        values = values[name]
    return "; ".join(map(str, values)) if isinstance(values, list) else values


def _shape_in(kind: Any) -> type[BaseModel] | None:
    """Return the shape that a type is, or is when it is not None."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    if get_origin(kind) in (Union, UnionType):
        return next((shape for part in get_args(kind) if (shape := _shape_in(part))), None)
    return None


def _item_of(kind: Any) -> type[BaseModel] | None:
    """Return the shape that a type is a list of."""
    return _shape_in(get_args(kind)[0]) if get_origin(kind) is list else None
