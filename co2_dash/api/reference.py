"""The API's reference for people, one plain page made from its OpenAPI document.

FastAPI's own page loads its scripts from elsewhere; this one needs no script and no network.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

Schema = dict[str, Any]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; }
h2 { margin-top: 2.5rem; font-size: 1.15rem; }
h3 { font-size: 1rem; margin-bottom: 0.3rem; }
code { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0; }
tr { border-bottom: 1px solid #8884; }
.scroll { overflow-x: auto; }
"""


def page(document: Schema) -> str:
    """Return the reference as HTML."""
    parts = [_endpoint(path, item["get"], document) for path, item in document["paths"].items()]
    shapes = [_shape(name, schema) for name, schema in document["components"]["schemas"].items()]
    info = document["info"]
    return (
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<p><a href='/'>To the pages</a></p><h1>{escape(info['title'])}</h1>"
        f"<p>{escape(info['description'])}</p>"
        "<p>The same for programs: <a href='/openapi.json'>openapi.json</a></p>"
        f"{''.join(parts)}<h2>Shapes</h2>{''.join(shapes)}</body></html>"
    )


def _endpoint(path: str, operation: Schema, document: Schema) -> str:
    rows = [
        (
            f"<code>{escape(parameter['name'])}</code>",
            escape(_kind(parameter["schema"])),
            escape(parameter.get("description", "")),
        )
        for parameter in operation.get("parameters", [])
    ]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    problems = ", ".join(status for status in operation["responses"] if status != "200")
    first = document["servers"][0]["url"] if document.get("servers") else ""
    return (
        f"<h2><a href='{escape(first + path)}'><code>GET {escape(path)}</code></a></h2>"
        f"<p>{escape(operation.get('description', ''))}</p>"
        + (_table(("Parameter", "Type", "Meaning"), rows) if rows else "")
        + f"<p>Answers with {_link(answer)}{'; problems: ' + problems if problems else ''}.</p>"
    )


def _shape(name: str, schema: Schema) -> str:
    rows = [
        (
            f"<code>{escape(field)}</code>",
            _link(part) if "$ref" in part else escape(_kind(part)),
            escape(part.get("description", "")),
        )
        for field, part in schema.get("properties", {}).items()
    ]
    about = escape(schema.get("description", ""))
    table = _table(("Field", "Type", "Meaning"), rows)
    return f"<h3 id='{escape(name)}'>{escape(name)}</h3><p>{about}</p>{table}"


def _kind(schema: Schema) -> str:
    """Return a schema's type in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return " or ".join(map(repr, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    bounds = [f"{sign} {schema[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in schema]
    return " ".join([str(schema.get("format") or schema.get("type", "")), *bounds])


def _link(schema: Schema) -> str:
    name = escape(_kind(schema))
    return f"<a href='#{name}'>{name}</a>" if "$ref" in schema else name


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
