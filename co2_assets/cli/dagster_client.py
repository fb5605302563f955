"""The requests that `co2 up` sends to its own servers: to the pages and to Dagster's webserver.

None goes through a proxy of the environment (``trust_env=False``), because a proxy does not lead to this
machine.
"""

from typing import Any

import httpx

from co2_assets.cli.supervisor import UpError
from co2_assets.defs.automation import TICK_JOB

# The name of the code location in workspace.yaml and pyproject.toml.
LOCATION = "co2_assets.definitions"

UNKNOWN = "UNKNOWN"

FINISHED = ("SUCCESS", "FAILURE", "CANCELED")

LAUNCH_RUN = """
mutation Launch($location: String!, $job: String!) {
  launchRun(executionParams: {
    selector: {
      repositoryLocationName: $location, repositoryName: "__repository__", jobName: $job
    }
    mode: "default"
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""

RUN_STATUS = """
query Status($run: ID!) { runOrError(runId: $run) { __typename ... on Run { status } } }
"""

RUNS_OF_JOB = """
query Runs($job: String!) {
  runsOrError(filter: {pipelineName: $job}, limit: 5) {
    __typename
    ... on Runs { results { runId status } }
  }
}
"""

DAEMONS = """
query Daemons { instance { daemonHealth { allDaemonStatuses { required healthy } } } }
"""


def answers(url: str) -> bool:
    """Return whether the server answers well; raises httpx.HTTPError if it does not answer at all."""
    return httpx.get(url, trust_env=False).is_success


def ask(url: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the data of a GraphQL answer; raises httpx.HTTPError or UpError."""
    answer = httpx.post(
        f"{url}/graphql", json={"query": query, "variables": variables or {}}, timeout=30, trust_env=False
    )
    answer.raise_for_status()
    body = answer.json()
    if body.get("errors"):
        raise UpError(f"Dagster's webserver answered: {body['errors'][0]['message']}")
    data: dict[str, Any] = body["data"]
    return data


def daemons_healthy(url: str) -> bool:
    """Return whether every required daemon has sent a heartbeat recently."""
    statuses = ask(url, DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
    return bool(statuses) and all(status["healthy"] for status in statuses if status["required"])


def launch_tick(url: str) -> str:
    """Launch the six-hour job through the webserver; return the run id. Raises UpError if it is refused."""
    outcome = ask(url, LAUNCH_RUN, {"location": LOCATION, "job": TICK_JOB})["launchRun"]
    if outcome["__typename"] != "LaunchRunSuccess":
        raise UpError(f"the first run could not be launched: {outcome.get('message', outcome['__typename'])}")
    run_id: str = outcome["run"]["runId"]
    return run_id


def newest_runs(url: str, job: str) -> dict[str, str]:
    """Return the statuses of the newest runs of a job by run, the oldest first; none without an answer."""
    try:
        results = ask(url, RUNS_OF_JOB, {"job": job})["runsOrError"].get("results", [])
    except httpx.HTTPError:
        return {}
    return {run["runId"]: run["status"] for run in reversed(results)}


def run_status(url: str, run_id: str) -> str:
    """Return the status of the run as Dagster names it; UNKNOWN if the webserver does not answer."""
    try:
        status: str = ask(url, RUN_STATUS, {"run": run_id})["runOrError"].get("status", UNKNOWN)
    except httpx.HTTPError:
        return UNKNOWN
    return status
