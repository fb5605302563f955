"""Serve the pages and the API; the forecasts are made by other processes, such as those of `co2 up`."""

import argparse
import logging
import os
import sys

from co2_dash.server import DEFAULT_PORT, LOCAL_HOST, serve
from co2_dash.settings import from_environment


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 2 when a setting cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m co2_dash", description=__doc__)
    parser.add_argument(
        "--host", default=LOCAL_HOST, help="address to listen on (default: this machine alone)"
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port to listen on (default: %(default)s)"
    )
    parser.add_argument("--home", help="folder of all state (default: CO2_HOME, or data)")
    parser.add_argument("--source", help="live, archive, simulator or auto (default: CO2_SOURCE, or auto)")
    given = parser.parse_args(arguments)
    environment = dict(os.environ)
    if given.home:
        environment["CO2_HOME"] = given.home
    if given.source:
        environment["CO2_SOURCE"] = given.source
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = from_environment(environment)
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    host = f"[{given.host}]" if ":" in given.host else given.host
    address = f"http://{host}:{given.port}{settings.path_prefix}/"
    print(f"Pages and API: {address} (Ctrl-C ends them)", flush=True)
    serve(settings, given.host, given.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
