"""What the emulated services have in common: each is an httpx transport that answers in this process."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import httpx

Fault = Callable[[httpx.Request, httpx.Response], httpx.Response]


class BadParameterError(Exception):
    """A request that the service would refuse with status 400."""


class EmulatedTransport(httpx.BaseTransport, ABC):
    """Answers requests by `answer`.

    ``fault`` gets every request with its good response and returns the response to send instead. It
    may raise an httpx error, as a broken connection would.
    """

    def __init__(self, fault: Fault | None = None) -> None:
        self._fault = fault

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; faults are applied last."""
        response = self.answer(request)
        response.request = request
        return self._fault(request, response) if self._fault else response

    @abstractmethod
    def answer(self, request: httpx.Request) -> httpx.Response:
        """Return the response of a service without faults."""


def json_response(body: str) -> httpx.Response:
    """Return a good response with ``body``, which is JSON."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return httpx.Response(200, content=body.encode(), headers=headers)
