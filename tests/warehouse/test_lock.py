"""Processes and threads take turns, and a killed one leaves the last good state and no lock."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.errors import WarehouseBusy
from tests.support.warehouse_rows import PRICES, T0, prices

BOUND_S = 50
PRELUDE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from co2_assets.warehouse.database import Warehouse
from tests.support.warehouse_rows import PRICES, T0, prices
warehouse = Warehouse(Path(sys.argv[1]), "simulator", lock_timeout_s=40)
"""
# Reads a number and writes back the next: an update is lost if another comes between.
COUNT = """
for _ in range(10):
    with warehouse.open_transaction() as transaction:
        value = transaction.read("SELECT price_eur_per_mwh AS p FROM day_ahead_prices")["p"].iloc[0]
        transaction.upsert(PRICES, prices({T0: value + 1}))
"""
HOLD = """
with warehouse.open_transaction() as transaction:
    transaction.upsert(PRICES, prices({T0: 99.0}))
    print("holding", flush=True)
    sys.stdin.read()
"""
HOLD_WITHOUT_OUR_LOCK = """
import duckdb
connection = duckdb.connect(sys.argv[1])
print("holding", flush=True)
sys.stdin.read()
"""
PRICE = "SELECT price_eur_per_mwh AS p FROM day_ahead_prices"


@contextmanager
def process(script: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process of its own; killed at the end if it has not ended."""
    arguments = [sys.executable, "-c", PRELUDE + script, str(path), str(Path(__file__).parents[2])]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


@contextmanager
def holding(script: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the file open until it is killed or its input ends."""
    with process(script, path) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "holding\n"
        yield child


@pytest.fixture
def with_a_price(warehouse: Warehouse) -> Warehouse:
    with warehouse.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({T0: 0.0}))
    return warehouse


def impatient(warehouse: Warehouse) -> Warehouse:
    return Warehouse(warehouse.path, warehouse.source, lock_timeout_s=0.05)


def test_two_processes_lose_no_update(with_a_price: Warehouse) -> None:
    with process(COUNT, with_a_price.path) as one, process(COUNT, with_a_price.path) as other:
        assert one.wait(BOUND_S) == 0
        assert other.wait(BOUND_S) == 0
    assert with_a_price.read(PRICE)["p"].tolist() == [20.0]


def test_threads_lose_no_update(with_a_price: Warehouse) -> None:
    def count() -> None:
        for _ in range(5):
            with with_a_price.open_transaction() as transaction:
                value = float(transaction.read(PRICE)["p"].iloc[0])
                transaction.upsert(PRICES, prices({T0: value + 1}))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)
    assert with_a_price.read(PRICE)["p"].tolist() == [20.0]


def test_a_writer_that_is_killed_leaves_the_last_good_state_and_no_lock(with_a_price: Warehouse) -> None:
    with holding(HOLD, with_a_price.path) as writer:
        writer.kill()
        writer.wait(BOUND_S)
        assert with_a_price.read(PRICE)["p"].tolist() == [0.0]
    with with_a_price.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({T0: 1.0}))


@pytest.mark.parametrize("script", [HOLD, HOLD_WITHOUT_OUR_LOCK], ids=["a run", "a foreign program"])
def test_waiting_ends_with_the_holder_named(with_a_price: Warehouse, script: str) -> None:
    with holding(script, with_a_price.path) as holder:
        with pytest.raises(WarehouseBusy, match=rf"process {holder.pid}\b.*0\.05 s.*try again"):
            impatient(with_a_price).read(PRICE)
        holder.kill()
        holder.wait(BOUND_S)
    assert impatient(with_a_price).read(PRICE)["p"].tolist() == [0.0]


def test_a_thread_that_would_wait_for_itself_is_told_at_once(warehouse: Warehouse) -> None:
    with warehouse.open_transaction(), pytest.raises(RuntimeError, match="transaction that is open"):
        warehouse.read("SELECT 1")


def test_an_exception_frees_the_file(warehouse: Warehouse) -> None:
    with pytest.raises(duckdb.ParserException):
        warehouse.read("SELEKT")
    assert impatient(warehouse).read("SELECT 1 AS one")["one"].tolist() == [1]
