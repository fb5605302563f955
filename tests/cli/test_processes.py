"""Whatever ends a `co2 up`, what it started ends too, and until then its home is not free."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from co2_assets.cli.child import MODULE
from co2_assets.cli.processes import end, process_identity, started_by
from co2_assets.cli.start_everything import end_leftovers, single_instance
from co2_assets.cli.supervisor import Supervisor, UpError
from co2_assets.settings import Settings
from co2_assets.warehouse.errors import WarehouseBusy
from co2_assets.warehouse.lock import exclusive

SOON_S = 30.0
# Stands for `co2 up`: it holds the lock and has started one server.
PARENT = """
import signal, sys
from pathlib import Path
from co2_assets.cli.supervisor import Supervisor
from co2_assets.warehouse.lock import exclusive

# As for a terminal's program, also where these tests run under nohup.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
home, server = Path(sys.argv[1]), sys.argv[2]
with exclusive(home / "up.lock", 0) as lock:
    supervisor = Supervisor({"CO2_HOME": str(home)}, home / "logs", lock)
    supervisor.start("server", [sys.executable, "-c", server, str(home / "started")])
    input()
"""
# Stands for the daemon: one of its own processes is in a session of its own.
SERVER = """
import os, signal, subprocess, sys
code = "import signal; signal.pause()"
own = [subprocess.Popen([sys.executable, "-c", code], start_new_session=away) for away in (False, True)]
with open(sys.argv[1], "w") as pipe:
    print(os.getpid(), *(process.pid for process in own), file=pipe)
signal.pause()
"""


@dataclass(frozen=True)
class Family:
    """A supervisor, the `child` that it started, and the server with its processes."""

    home: Path
    supervisor: psutil.Process
    child: psutil.Process
    servers: list[psutil.Process]

    def outlived_by(self) -> list[psutil.Process]:
        """Wait until all have ended; return those that have not."""
        return psutil.wait_procs([self.child, *self.servers], timeout=SOON_S)[1]

    @property
    def home_is_free(self) -> bool:
        try:
            with exclusive(self.home / "up.lock", 0):
                return True
        except WarehouseBusy:
            return False


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    # Opening it to read waits until a server has written into it.
    os.mkfifo(home / "started")
    return home


def started_servers(home: Path) -> list[psutil.Process]:
    return [psutil.Process(int(pid)) for pid in (home / "started").read_text().split()]


@pytest.fixture
def family(home: Path) -> Iterator[Family]:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(home), SERVER], stdin=subprocess.PIPE) as parent:
        servers = started_servers(home)
        child = servers[0].parent()
        assert child is not None
        try:
            yield Family(home, psutil.Process(parent.pid), child, servers)
        finally:
            end([psutil.Process(parent.pid), child, *servers], timeout_s=0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP])
def test_what_ends_the_supervisor_ends_all_that_it_started(family: Family, how: signal.Signals) -> None:
    assert not family.home_is_free
    family.supervisor.send_signal(how)
    assert family.outlived_by() == []
    assert family.home_is_free


def test_what_outlives_a_kill_of_both_keeps_the_home_until_the_next_start_ends_it(family: Family) -> None:
    settings = Settings(home=family.home)
    lines: list[str] = []
    with pytest.raises(UpError, match="another `co2 up`"), single_instance(settings, lines.append):
        pass
    assert lines == []
    assert all(process.is_running() for process in family.servers)

    # Stopped first, so that it does not act on the end of the other.
    family.child.suspend()
    family.supervisor.kill()
    family.child.kill()
    psutil.wait_procs([family.child], timeout=SOON_S)
    assert not family.home_is_free
    end_leftovers(family.home.parent, lines.append)  # another home
    assert lines == []
    with single_instance(settings, lines.append):
        assert family.outlived_by() == []
    assert lines == ["An earlier `co2 up` was killed. Ending the 3 process(es) that it left."]


def test_a_server_whose_child_process_was_killed_is_ended_with_the_others(home: Path) -> None:
    supervisor = Supervisor({"CO2_HOME": str(home)}, home / "logs")
    supervisor.start("server", [sys.executable, "-c", SERVER, str(home / "started")])
    servers = started_servers(home)
    (service,) = supervisor.services
    service.process.kill()
    service.process.wait()
    with pytest.raises(UpError, match="server ended with exit code -9"):
        supervisor.wait(0)
    supervisor.stop()
    assert psutil.wait_procs(servers, timeout=SOON_S)[1] == []
    assert started_by(lambda identity: identity == process_identity(os.getpid()), home) == []


@pytest.mark.parametrize(
    ("code", "exit_code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_the_exit_code_of_a_server_is_handed_on(code: str, exit_code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", MODULE, "-", sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.wait(SOON_S) == exit_code
