"""Shapes whose names other tools write as ``carbonIntensity``."""

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from co2_dash.api.schemas import Answer


class CamelAnswer(Answer):
    """A part of an answer; its fields are sent with a capital letter in the place of each underscore."""

    model_config = ConfigDict(
        extra="forbid",
        protected_namespaces=(),
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
    )
