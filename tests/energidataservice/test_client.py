"""What the client asks, what it makes of good answers, and what it says of every other kind."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import httpx
import pytest

from co2_assets.contracts import (
    CO2_EMISSION_PROGNOSIS,
    DAY_AHEAD_PRICES,
    POWER_SYSTEM_RIGHT_NOW,
    PRICE_AREAS,
    PRICE_DATASETS_SWITCH,
    Dataset,
    ServiceName,
    datasets_of,
    split_rows,
)
from co2_assets.energidataservice.client import EnergiDataService
from co2_assets.http_service import client as client_module
from co2_assets.http_service.errors import (
    BadRequest,
    BadResponse,
    EmptyResponse,
    NotFound,
    RateLimited,
    Refused,
    RequestedWindow,
    SchemaChanged,
    ServerFault,
    ServiceError,
    TimedOut,
    TruncatedResponse,
    Unreachable,
)
from tests.support.scripted_service import (
    END,
    NOON,
    START,
    Machine,
    Service,
    envelope,
    fetch,
    good_row,
    power_row,
    raw,
)

Maker = Callable[..., EnergiDataService]


# Requests


def test_a_request_asks_for_utc_the_contract_columns_and_everything(make_client: Maker) -> None:
    service = Service(envelope([power_row()]))
    fetch(make_client(service))
    (request,) = service.requests
    assert request.url.path == "/dataset/PowerSystemRightNow"
    params = dict(request.url.params)
    columns = params.pop("columns").split(",")
    assert columns == list(POWER_SYSTEM_RIGHT_NOW.endpoints[0].fields)
    assert params == {
        "start": "2026-03-01T06:00",
        "end": "2026-03-01T12:00",
        "timezone": "UTC",
        "sort": "Minutes1UTC ASC",
        "limit": "0",
    }


def test_a_dataset_of_areas_is_filtered_by_them(make_client: Maker) -> None:
    endpoint = DAY_AHEAD_PRICES.endpoints[1]
    service = Service(envelope([good_row(DAY_AHEAD_PRICES, endpoint.fields)]))
    fetch(make_client(service), DAY_AHEAD_PRICES)
    assert json.loads(service.requests[0].url.params["filter"]) == {"PriceArea": list(PRICE_AREAS)}


@pytest.mark.parametrize("optional", [True, False])
def test_only_a_source_that_serves_optional_columns_is_asked_for_them(
    make_client: Maker, optional: bool
) -> None:
    row = good_row(CO2_EMISSION_PROGNOSIS, CO2_EMISSION_PROGNOSIS.endpoints[0].fields, optional=optional)
    service = Service(envelope([row]))
    frame = fetch(make_client(service, serves_optional=optional), CO2_EMISSION_PROGNOSIS)
    assert ("FirstSeenUTC" in service.requests[0].url.params["columns"]) is optional
    assert frame["published_at_utc"].tolist() == [datetime(2026, 3, 1, 10) if optional else NOON]


def price_service() -> Service:
    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.split("/")[-1]
        endpoint = next(e for e in DAY_AHEAD_PRICES.endpoints if e.dataset == name)
        return envelope([good_row(DAY_AHEAD_PRICES, endpoint.fields)])

    return Service(answer)


def test_a_window_over_the_change_of_price_datasets_asks_both(make_client: Maker) -> None:
    service = price_service()
    day = timedelta(days=1)
    with make_client(service) as client:
        frame = client.fetch(DAY_AHEAD_PRICES, PRICE_DATASETS_SWITCH - day, PRICE_DATASETS_SWITCH + day)
    requested = [(r.url.path, r.url.params["start"], r.url.params["end"]) for r in service.requests]
    assert requested == [
        ("/dataset/Elspotprices", "2025-09-29T22:00", "2025-09-30T22:00"),
        ("/dataset/DayAheadPrices", "2025-09-30T22:00", "2025-10-01T22:00"),
    ]
    assert len(frame) == 2


@pytest.mark.parametrize(("days", "name"), [(-1, "Elspotprices"), (0, "DayAheadPrices")])
def test_a_window_on_one_side_asks_that_one_alone(make_client: Maker, days: int, name: str) -> None:
    service = price_service()
    start = PRICE_DATASETS_SWITCH + timedelta(days=days)
    with make_client(service) as client:
        client.fetch(DAY_AHEAD_PRICES, start, start + timedelta(days=1))
    assert [r.url.path for r in service.requests] == [f"/dataset/{name}"]


def test_prices_yet_to_come_may_be_missing_beside_those_that_are_there(make_client: Maker) -> None:
    before = PRICE_DATASETS_SWITCH - timedelta(hours=12)
    old = envelope([good_row(DAY_AHEAD_PRICES, DAY_AHEAD_PRICES.endpoints[0].fields)])
    window = before, before + timedelta(days=3)
    with make_client(Service(old, envelope([])), now=lambda: before) as client:
        assert len(client.fetch(DAY_AHEAD_PRICES, *window)) == 1
    with (
        make_client(Service(old, envelope([])), now=lambda: NOON) as client,
        pytest.raises(EmptyResponse, match="DayAheadPrices"),
    ):
        client.fetch(DAY_AHEAD_PRICES, *window)


def test_an_empty_window_is_a_mistake_of_the_caller(make_client: Maker) -> None:
    with make_client(Service(envelope([]))) as client, pytest.raises(ValueError, match="empty"):
        client.fetch(POWER_SYSTEM_RIGHT_NOW, NOON, NOON)


# Good answers


@pytest.mark.parametrize(
    "dataset", datasets_of(ServiceName.ENERGI_DATA_SERVICE), ids=lambda dataset: dataset.name
)
def test_a_frame_has_the_tables_columns_and_types(make_client: Maker, dataset: Dataset) -> None:
    row = good_row(dataset, dataset.endpoints[-1].fields)
    frame = fetch(make_client(Service(envelope([row]))), dataset)
    assert list(frame) == [name for name in dataset.table.column_names if name != "fetched_at_utc"]
    types = {"TIMESTAMP": "datetime64[us]", "DOUBLE": "float64", "VARCHAR": "str"}
    for name in frame:
        assert str(frame[name].dtype) == types[dataset.table.column(str(name)).kind], name
    assert (frame["price_area"] == ("DK" if dataset is POWER_SYSTEM_RIGHT_NOW else "DK1")).all()


def test_numbers_lose_the_noise_of_32_bits_and_nulls_stay_null(make_client: Maker) -> None:
    rows = [power_row(SolarPower=None), power_row(SolarPower=3), power_row(SolarPower=473.700012)]
    frame = fetch(make_client(Service(envelope(rows))))
    assert frame["production_ge_100_mw"].tolist() == [89.99] * 3
    assert frame["solar_mw"].isna().tolist() == [True, False, False]
    assert frame["solar_mw"].tolist()[1:] == [3.0, 473.7]


def test_further_columns_order_and_repetition_are_not_the_clients_business(make_client: Maker) -> None:
    later = power_row(Minutes1UTC="2026-03-01T11:00:00", Exchange_DK1_NL=5.0)
    rows = [later, power_row(), later | {"SolarPower": 1.0}]
    frame = fetch(make_client(Service(envelope(rows))))
    assert len(frame) == 3
    good, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, frame)
    assert good["solar_mw"].tolist() == [89.99, 1.0]
    assert bad == []


@pytest.mark.parametrize("number", ["1e400", "1" + "0" * 400], ids=["float", "integer"])
def test_a_number_without_measure_reaches_quarantine(make_client: Maker, number: str) -> None:
    text = json.dumps({"records": [power_row(SolarPower=-12345)]}).replace("-12345", number)
    frame = fetch(make_client(Service(raw(text))))
    _, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, frame)
    assert [(b.column, b.reason) for b in bad] == [("solar_mw", "above 12000 MW")]


def test_only_records_are_required_of_the_envelope(make_client: Maker) -> None:
    answer = httpx.Response(200, content=json.dumps({"records": [power_row()]}))
    assert len(fetch(make_client(Service(answer)))) == 1


# Bad answers


WHOLE = json.dumps({"total": 1, "records": [power_row()]})

FINAL_FAULTS: list[tuple[httpx.Response, type[ServiceError], str]] = [
    (httpx.Response(403), Refused, "refused"),
    (httpx.Response(401), Refused, "refused"),
    (httpx.Response(404), NotFound, "not_found"),
    (httpx.Response(400, json={"message": "no"}), BadRequest, "bad_request"),
    (httpx.Response(422), BadRequest, "bad_request"),
    (httpx.Response(302, headers={"Location": "http://login"}), BadResponse, "bad_answer"),
    (httpx.Response(204), BadResponse, "bad_answer"),
    (raw("<html><body>Maintenance</body></html>"), BadResponse, "bad_answer"),
    (raw(""), BadResponse, "bad_answer"),
    (raw("[]"), BadResponse, "bad_answer"),
    (raw("{}"), BadResponse, "bad_answer"),
    (raw('{"records": {}}'), BadResponse, "bad_answer"),
    (raw('{"records": null}'), BadResponse, "bad_answer"),
    (raw('{"records": [1, 2]}'), BadResponse, "bad_answer"),
    (envelope([power_row()] * 2, total=3), BadResponse, "bad_answer"),
    (envelope([]), EmptyResponse, "empty"),
    (envelope([power_row(SolarPower="absent")]), SchemaChanged, "schema_changed"),
    (envelope([power_row(), *[power_row(SolarPower="absent")] * 2]), SchemaChanged, "schema_changed"),
    (envelope([power_row(SolarPower="absent", Solar=1.0)]), SchemaChanged, "schema_changed"),
    (envelope([power_row(SolarPower="1.0")]), SchemaChanged, "schema_changed"),
    (envelope([power_row(SolarPower=True)]), SchemaChanged, "schema_changed"),
    (envelope([power_row(Minutes1UTC=1767225600)]), SchemaChanged, "schema_changed"),
    (envelope([power_row(Minutes1UTC="yesterday")]), SchemaChanged, "schema_changed"),
    (envelope([power_row(Minutes1UTC="2026-03-01T10:00:00+01:00")]), SchemaChanged, "schema_changed"),
]


@pytest.mark.parametrize(("answer", "kind", "outcome"), FINAL_FAULTS)
def test_what_no_repetition_mends_fails_at_once(
    make_client: Maker, machine: Machine, answer: httpx.Response, kind: type[ServiceError], outcome: str
) -> None:
    service = Service(answer)
    with pytest.raises(ServiceError) as caught:
        fetch(make_client(service))
    error = caught.value
    assert type(error) is kind
    assert error.outcome == outcome
    assert len(service.requests) == 1
    assert machine.slept == []
    message = str(error)
    assert "PowerSystemRightNow 2026-03-01T06:00Z to 2026-03-01T12:00Z" in message
    assert f"HTTP {answer.status_code}" in message
    assert error.remedy in message
    assert error.window == RequestedWindow("PowerSystemRightNow", START, END)
    assert error.status == answer.status_code


def test_a_changed_schema_names_every_column_and_what_is_there(make_client: Maker) -> None:
    row = power_row(SolarPower="absent", CO2Emission="absent", Solar=1.0)
    with pytest.raises(SchemaChanged, match=r"missing from the answer: CO2Emission, SolarPower; .*Solar"):
        fetch(make_client(Service(envelope([row]))))
    row = power_row(SolarPower="a", CO2Emission=[1])
    with pytest.raises(SchemaChanged, match="CO2Emission holds list; SolarPower holds str"):
        fetch(make_client(Service(envelope([row]))))


PASSING_FAULTS: list[tuple[httpx.Response | Exception, type[ServiceError], str]] = [
    (httpx.Response(429), RateLimited, "rate_limited"),
    (httpx.Response(500), ServerFault, "server_fault"),
    (httpx.Response(502), ServerFault, "server_fault"),
    (httpx.Response(503), ServerFault, "server_fault"),
    (httpx.Response(408), TimedOut, "timed_out"),
    (httpx.ConnectError("refused"), Unreachable, "unreachable"),
    (httpx.ConnectTimeout("slow"), Unreachable, "unreachable"),
    (httpx.ReadTimeout("slow"), TimedOut, "timed_out"),
    (httpx.RemoteProtocolError("peer closed connection"), Unreachable, "unreachable"),
    (raw(WHOLE[:-20]), TruncatedResponse, "truncated"),
    (raw(WHOLE.replace("89.98999", "NaN", 1)), TruncatedResponse, "truncated"),
]


@pytest.mark.parametrize(("fault", "kind", "outcome"), PASSING_FAULTS)
def test_what_may_pass_is_tried_three_times_and_then_named(
    make_client: Maker, fault: httpx.Response | Exception, kind: type[ServiceError], outcome: str
) -> None:
    service = Service(fault)
    with pytest.raises(ServiceError) as caught:
        fetch(make_client(service))
    assert type(caught.value) is kind
    assert caught.value.outcome == outcome
    assert len(service.requests) == 3


@pytest.mark.parametrize(("fault", "kind", "outcome"), PASSING_FAULTS)
def test_what_passes_does_no_harm(
    make_client: Maker,
    fault: httpx.Response | Exception,
    kind: type[ServiceError],  # noqa: ARG001
    outcome: str,  # noqa: ARG001
) -> None:
    assert len(fetch(make_client(Service(fault, envelope([power_row()]))))) == 1


class Dripping(httpx.SyncByteStream):
    """A body that comes piece by piece, ``seconds`` apart by the machine's clock."""

    def __init__(self, pieces: list[bytes], machine: Machine, seconds: float, end: Exception | None) -> None:
        self.pieces, self.machine, self.seconds, self.end = pieces, machine, seconds, end

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.machine.time += timedelta(seconds=self.seconds)
            yield piece
        if self.end:
            raise self.end


@pytest.mark.parametrize(
    ("seconds", "end", "kind"),
    [
        (61, None, TimedOut),
        (0, httpx.ReadTimeout("silence"), TimedOut),
        (0, httpx.RemoteProtocolError("incomplete body"), Unreachable),
    ],
)
def test_a_body_that_drips_or_breaks_off_is_given_up(
    make_client: Maker, machine: Machine, seconds: float, end: Exception | None, kind: type[ServiceError]
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        pieces = [WHOLE[:5].encode(), *[b" "] * 20, WHOLE[5:].encode()]
        return httpx.Response(200, stream=Dripping(pieces, machine, seconds, end))

    service = Service(answer)
    with pytest.raises(kind):
        fetch(make_client(service))
    assert machine.monotonic() < 3 * client_module.LONGEST_FETCH.total_seconds()


def test_an_answer_without_end_is_cut_off(make_client: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LARGEST_RESPONSE_BYTES", 1 << 20)
    sent = 0

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal sent
            while True:
                sent += 1 << 16
                yield b" " * (1 << 16)

    service = Service(lambda _: httpx.Response(200, stream=Endless()))
    with pytest.raises(BadResponse, match="larger than 1 MiB"):
        fetch(make_client(service))
    assert sent <= 2 << 20
    assert len(service.requests) == 1
