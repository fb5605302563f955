"""The graph of the assets and the table of jobs, from the Definitions object that Dagster loads."""

from collections.abc import Iterable, Mapping

import dagster as dg

from co2_assets.contracts import DATASETS, ServiceName
from co2_assets.definitions import build_definitions
from co2_assets.defs.assets.raw_energy_data import SERVICES
from co2_assets.settings import Settings

# How the graph calls the services: a name in it has no hyphen.
NODES = {service: service.replace("-", "") for service in ServiceName}


def graph() -> str:
    """Return the assets as a Mermaid graph: groups as boxes, an arrow from each asset to its users.

    An arrow that a longer path implies is left out. The arrows of a service carry the names of its datasets,
    from the contracts.
    """
    assets = build_definitions(Settings()).resolve_asset_graph()
    services = {asset.key for asset in SERVICES.values()}
    parents = {
        key.to_user_string(): {parent.to_user_string() for parent in assets.get(key).parent_keys - services}
        for key in assets.get_all_asset_keys() - services
    }
    order = in_order(parents)
    groups: dict[str, list[str]] = {}
    for name in order:
        groups.setdefault(str(assets.get(dg.AssetKey(name)).group_name), []).append(name)
    lines = ["```mermaid", "flowchart LR", *(f"  {node}[({service})]" for service, node in NODES.items())]
    for group, names in groups.items():
        lines += [f"  subgraph {group}_group [{group}]", *(f"    {name}" for name in names), "  end"]
    for dataset in DATASETS:
        named = ", ".join(endpoint.dataset for endpoint in dataset.endpoints)
        lines.append(f'  {NODES[dataset.service]} -- "{named}" --> {dataset.name}')
    for name in order:
        lines += [f"  {parent} --> {name}" for parent in order if parent in direct(parents, name)]
    return "\n".join([*lines, "```"])


def in_order(parents: Mapping[str, set[str]]) -> list[str]:
    """Return the names so that each follows all its parents; names without an order are sorted."""
    order: list[str] = []
    while len(order) < len(parents):
        order += sorted(name for name in parents.keys() - set(order) if parents[name] <= set(order))
    return order


def ancestors(parents: Mapping[str, set[str]], name: str) -> set[str]:
    """Return everything that ``name`` is made from, directly or through other names."""
    return parents[name].union(*(ancestors(parents, parent) for parent in parents[name]))


def direct(parents: Mapping[str, set[str]], name: str) -> set[str]:
    """Return the parents of ``name`` that are not also ancestors of another parent."""
    through_others: set[str] = set().union(*(ancestors(parents, parent) for parent in parents[name]))
    return parents[name] - through_others


def automation() -> str:
    """Return the jobs, schedules and sensors as tables."""
    repository = build_definitions(Settings()).get_repository_def()
    jobs = sorted((job for job in repository.get_all_jobs() if not job.name.startswith("__")), key=_name)
    lines = _table(("Job", "What it does"), ((f"`{job.name}`", job.description or "") for job in jobs))
    rows = [
        (f"`{s.name}`", f"`{s.cron_schedule}` UTC", f"`{s.job_name}`", s.description or "")
        for s in sorted(repository.schedule_defs, key=_name)
    ]
    rows += [
        (f"`{s.name}`", f"every {s.minimum_interval_seconds} s", _jobs(s), s.description or "")
        for s in sorted(repository.sensor_defs, key=_name)
    ]
    return "\n".join([*lines, "", *_table(("Schedule or sensor", "When", "Job", "What it does"), rows)])


def _name(thing: dg.JobDefinition | dg.ScheduleDefinition | dg.SensorDefinition) -> str:
    return thing.name


def _jobs(sensor: dg.SensorDefinition) -> str:
    """Return the jobs that a sensor requests; one that only tells requests none."""
    return ", ".join(f"`{target.job_name}`" for target in sensor.targets) or "none"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(" ".join(cell.split()) for cell in row) + " |" for row in rows]
