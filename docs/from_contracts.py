"""The tables and datasets, described from their declarations."""

from datetime import timedelta

from co2_assets.contracts import DATASETS, Column, Dataset, ServiceName, Table
from co2_assets.contracts.tables import DERIVED_TABLES
from co2_assets.contracts.weather import WEATHER_POINTS
from co2_assets.warehouse.views import VIEWS


def contracts() -> str:
    """Return every declared table with its columns, and for raw tables what is agreed with the service."""
    parts = ["## Raw tables, one for each dataset of the services"]
    parts += [
        f"{_head(dataset.table)}\n\n{_agreed(dataset)}\n\n{_columns(dataset.table)}" for dataset in DATASETS
    ]
    parts.append("## Tables made from them")
    parts += [f"{_head(table)}\n\n{_columns(table)}" for table in DERIVED_TABLES]
    parts.append("## Views\n\n" + "\n".join(f"- `{name}`" for name in VIEWS))
    return "\n\n".join(parts)


def _head(table: Table) -> str:
    return f"### {table.name}\n\n{table.description}\n\nKey: {', '.join(f'`{name}`' for name in table.key)}."


def _agreed(dataset: Dataset) -> str:
    lines = [f"{dataset.description}", ""]
    for endpoint in dataset.endpoints:
        bounds = [
            f"{word} {instant:%Y-%m-%d %H:%M} UTC"
            for word, instant in (("from", endpoint.first), ("until", endpoint.end))
            if instant
        ]
        if dataset.service is ServiceName.OPEN_METEO:
            areas = f"points {', '.join(point.name for point in WEATHER_POINTS)}"
        else:
            areas = f"areas {', '.join(endpoint.areas)}" if endpoint.areas else "no area filter"
        steps = [f"a row every {_span(endpoint.step).removeprefix('1 ')}"] if endpoint.step else []
        lines.append(
            f"- Dataset `{endpoint.dataset}` of {dataset.service}, by `{endpoint.time_field}`, "
            f"{', '.join([areas, *bounds, *steps])}."
        )
    again = f"reads the last {_span(dataset.overlap)} again" if dataset.overlap else "reads nothing twice"
    revised = (
        f" Once a day it reads the last {_span(dataset.revised_for)} again." if dataset.revised_for else ""
    )
    late = "before now"
    if dataset.late_after > timedelta(0):
        late = f"more than {_span(dataset.late_after)} before now"
    elif dataset.late_after < timedelta(0):
        late = f"less than {_span(-dataset.late_after)} after now"
    if dataset.live_from:
        lines.append(f"- The live service has it from {dataset.live_from:%Y-%m-%d} on.")
    if dataset.versions_every:
        least = _span(dataset.versions_every)
        lines.append(f"- A changed version is stored if it came {least} or more after the one before.")
    lines += [
        f"- A row of each series every {_span(dataset.step).removeprefix('1 ')}; others are quarantined.",
        f"- Each fetch {again} and asks for what lies up to {_span(dataset.reach)} ahead, at most "
        f"{_span(dataset.live_chunk)} in one request.{revised}",
        f"- Late when the newest row lies {late}.",
    ]
    return "\n".join(lines)


def _columns(table: Table) -> str:
    lines = ["| Column | Type | Unit | Service's name | Plausible | Meaning |", "|---|---|---|---|---|---|"]
    for column in table.columns:
        kind = (
            column.kind.value
            if column.nullable and column.name not in table.key
            else f"{column.kind.value}, never null"
        )
        service = f"`{column.service_name}`" if column.service_name else ""
        if column.optional:
            service += ", in recordings only"
        cells = (f"`{column.name}`", kind, column.unit, service, _plausible(column), column.description)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _plausible(column: Column) -> str:
    bounds = "" if column.minimum is None else f"{column.minimum:g} to {column.maximum:g}"
    stuck = f"stuck after {_span(column.stuck_after)}" if column.stuck_after else ""
    if column.stuck_together:
        stuck += f", or {_span(column.stuck_together.after)} in all areas at once"
    return ", ".join(part for part in (bounds, stuck) if part)


def _span(span: timedelta) -> str:
    """Return a span in its largest whole unit."""
    for unit, size in (
        ("day", timedelta(days=1)),
        ("hour", timedelta(hours=1)),
        ("minute", timedelta(minutes=1)),
    ):
        if span >= size and span % size == timedelta(0):
            count = span // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "0 minutes"
