"""What a page may ask of its callbacks: anything else is refused before Dash sees it.

Dash takes such requests on trust: it answers 500 to what it cannot read, and runs a callback with whatever
inputs it was sent.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

PATH = "/_dash-update-component"
# How Dash writes that an identity stands for any number of components.
_MANY = (["ALL"], ["ALLSMALLER"])
Callbacks = Mapping[str, Mapping[str, Any]]


class Property(BaseModel):
    """A component's property, with its value where it is an input or a state."""

    id: str | dict[str, str | int | float]
    property: str

    def fits(self, pattern: object, name: str) -> bool:
        """Return whether this is property ``name`` of ``pattern``, an identity that may have wildcards."""
        identity: object = self.id
        if isinstance(self.id, dict) and isinstance(pattern, dict):
            wildcards = {key: value for key, value in pattern.items() if isinstance(value, list)}
            identity = self.id | {key: wildcards[key] for key in self.id.keys() & wildcards}
        # What follows the @ tells callbacks with the same output apart.
        return identity == pattern and self.property.partition("@")[0] == name.partition("@")[0]


Part = Property | list[Property]


class PageRequest(BaseModel):
    """What Dash's renderer sends."""

    output: str
    outputs: Property | list[Part] = []
    inputs: list[Part]
    state: list[Part] = []
    changed: list[str] = Field(default=[], alias="changedPropIds")

    def fits(self, callbacks: Callbacks) -> bool:
        """Return whether there is such a callback here, with these outputs, inputs and states."""
        callback = callbacks.get(self.output, {})
        if "callback" not in callback:
            return False
        outputs = [] if callback["no_output"] else _listed(callback["output"])
        return (
            _are(_listed(self.outputs), [output.to_dict() for output in outputs])
            and _are(self.inputs, callback["inputs"])
            and _are(self.state, callback["state"])
        )


def refuse_unknown(body: object, callbacks: Callbacks) -> None:
    """Raise HTTPException with status 400 unless a page sends such a body to a callback of ``callbacks``.

    ``body`` is the JSON that was sent, None when it was none; ``callbacks`` are Dash's own, by output.
    """
    try:
        request = PageRequest.model_validate(body)
    except ValidationError as error:
        raise HTTPException(400, "This is no JSON that a page sends. Load the page again.") from error
    if not request.fits(callbacks):
        raise HTTPException(400, "There is no such part of a page. Load the page again.")


def _listed(parts: Any) -> Sequence[Any]:
    return parts if isinstance(parts, list | tuple) else [parts]


def _are(parts: Sequence[Part], declared: Sequence[Mapping[str, str]]) -> bool:
    return len(parts) == len(declared) and all(map(_is, parts, declared))


def _is(part: Part, declared: Mapping[str, str]) -> bool:
    """Return whether a part is what a callback declares; for a pattern of many it is a list."""
    name = declared["id"]
    pattern = json.loads(name) if name.startswith("{") else name
    many = isinstance(pattern, dict) and any(value in _MANY for value in pattern.values())
    return isinstance(part, list) is many and all(
        one.fits(pattern, declared["property"]) for one in _listed(part)
    )
