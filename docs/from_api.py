"""The API's endpoints, from the OpenAPI document that it serves."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from co2_assets.warehouse.paths import Home
from co2_dash.app import create_app
from co2_dash.settings import Settings

Schema = dict[str, Any]


def endpoints() -> str:
    """Return every endpoint with its parameters, and every shape with its fields."""
    with TemporaryDirectory() as nothing_published:
        document: Schema = create_app(Settings(Home(Path(nothing_published)))).server.openapi()
    parts = [
        "## Endpoints",
        *(
            _endpoint(f"{method.upper()} {path}", operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
        ),
    ]
    parts.append("## Shapes")
    parts += [_shape(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return "\n\n".join(parts)


def _endpoint(name: str, operation: Schema) -> str:
    kinds = operation["responses"]["200"]["content"]
    answer = _kind(kinds["application/json"]["schema"]) if "application/json" in kinds else f"`{min(kinds)}`"
    problems = ", ".join(status for status in operation["responses"] if status != "200")
    text = f"### {name}\n\n{operation['description']}\n\nAnswers with {answer}"
    text += f"; problems {problems}." if problems else "."
    rows = [
        f"| `{parameter['name']}` | {_kind(parameter['schema'])} | {_default(parameter['schema'])} "
        f"| {parameter.get('description', '')} |"
        for parameter in operation.get("parameters", [])
    ]
    if rows:
        text += "\n\n" + "\n".join(["| Parameter | Type | Default | Meaning |", "|---|---|---|---|", *rows])
    return text


def _shape(name: str, schema: Schema) -> str:
    if "enum" in schema:
        return f"### {name}\n\n{schema.get('description', '')}\n\nOne of {_kind(schema)}."
    rows = [
        f"| `{field}` | {_kind(part)} | {part.get('description', '')} |"
        for field, part in schema.get("properties", {}).items()
    ]
    about = schema.get("description", "")
    return "\n".join([f"### {name}\n\n{about}\n", "| Field | Type | Meaning |", "|---|---|---|", *rows])


def _default(schema: Schema) -> str:
    return "" if schema.get("default") is None else f"`{schema['default']}`"


def _kind(schema: Schema) -> str:
    """Return a schema's type in a word or two. Shapes are links to their table."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    bounds = [
        f"{word} {schema[key]:g}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema
    ]
    return " ".join([str(schema.get("format") or schema["type"]), *bounds])
