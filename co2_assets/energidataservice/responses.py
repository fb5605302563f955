"""The envelope in which EnergiDataService sends its records."""

from typing import Any

from co2_assets.http_service.errors import BadResponse, EmptyResponse, RequestedWindow
from co2_assets.http_service.responses import json_of


def records_of(body: bytes, window: RequestedWindow, *, all_of_them: bool = True) -> list[Any]:
    """Return the records of a response.

    Raises TruncatedResponse for incomplete JSON, BadResponse where the body is not the service's JSON
    object or, if ``all_of_them`` were asked for, has fewer records than its ``total``, and EmptyResponse
    where there are no records.
    """
    envelope = json_of(body, window)
    records = envelope.get("records") if isinstance(envelope, dict) else None
    if not isinstance(records, list):
        raise BadResponse(window, "the answer holds no list of records", status=200)
    total = envelope.get("total")
    if all_of_them and isinstance(total, int) and total > len(records):
        raise BadResponse(
            window,
            f"the answer holds {len(records)} of {total} rows",
            status=200,
            remedy="The service cut the answer short: ask for a shorter window.",
        )
    if not records:
        raise EmptyResponse(window, "the answer holds no rows", status=200)
    return records
