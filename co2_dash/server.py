"""The one process that serves pages and API."""

from collections.abc import Callable
from datetime import datetime

import uvicorn

from co2_assets.contracts.time import utc_now
from co2_dash.app import create_app
from co2_dash.connections import MOST_CONNECTIONS, at_most, connections_for
from co2_dash.settings import Settings

LOCAL_HOST = "127.0.0.1"
DEFAULT_PORT = 8050


def server_of(
    settings: Settings,
    host: str = LOCAL_HOST,
    port: int = DEFAULT_PORT,
    clock: Callable[[], datetime] = utc_now,
    most_connections: int = MOST_CONNECTIONS,
) -> uvicorn.Server:
    """Return the server, ready to run; 127.0.0.1 is reached from this machine alone.

    Of ``most_connections`` the one that waits longest makes room for a new one.
    """
    return uvicorn.Server(
        uvicorn.Config(
            create_app(settings, clock).server,
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            http=at_most(most_connections),
            # No page uses a WebSocket.
            ws="none",
            # The application reads these headers itself: uvicorn does not know X-Forwarded-Prefix.
            proxy_headers=False,
            # An open browser tab must not hold up the end.
            timeout_graceful_shutdown=3,
        )
    )


def serve(settings: Settings, host: str = LOCAL_HOST, port: int = DEFAULT_PORT) -> None:
    """Serve until interrupted or terminated."""
    server_of(settings, host, port, most_connections=connections_for()).run()
