"""A reverse proxy that shows a server under a path and takes it off, as Traefik, Caddy or nginx do."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# Of one connection each; and the proxy's own headers, which it writes itself.
_NOT_PASSED_ON = {"connection", "host", "content-length", "transfer-encoding", "x-forwarded-prefix"}


@contextmanager
def proxying(server: str, path: str) -> Iterator[str]:
    """Give the address of a proxy that shows ``server`` under ``path`` and nothing elsewhere.

    It names the path, which it takes off, in a header of its own.
    """
    client = httpx.AsyncClient(base_url=server, timeout=30)

    @asynccontextmanager
    async def closing(_proxy: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    async def passed_on(request: Request) -> Response:
        asked = request.url.path.removeprefix(path)
        headers = [(name, value) for name, value in request.headers.items() if name not in _NOT_PASSED_ON]
        answer = await client.request(
            request.method,
            httpx.URL(path=asked or "/", query=request.url.query.encode()),
            headers=[*headers, ("X-Forwarded-Prefix", path), ("X-Forwarded-For", "192.0.2.1")],
            content=await request.body(),
        )
        response = Response(answer.content, answer.status_code)
        for name, value in answer.headers.multi_items():
            if name not in _NOT_PASSED_ON | {"content-encoding"}:
                response.headers.append(name, value)
        return response

    routes = [Route(path + rest, passed_on, methods=["GET", "POST"]) for rest in ("", "/{rest:path}")]
    proxy = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes, lifespan=closing), log_level="warning", ws="none")
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    thread = threading.Thread(target=proxy.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        proxy.should_exit = True
        thread.join(timeout=15)
        listener.close()
