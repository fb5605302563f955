"""The process between `co2 up` and one of its servers: it ends the server when `co2 up` is gone.

`python -m co2_assets.cli.child LOCK COMMAND...` runs the command. LOCK is the number of a descriptor that the
command inherits, or ``-``. The standard input is a pipe of which only `co2 up` has the other end: whatever
ends `co2 up`, also ``kill -9``, closes it. The command and all that it started are then ended, as they are on
SIGTERM.
"""

import os
import select
import signal
import subprocess
import sys

from co2_assets.cli.processes import end, family

MODULE = "co2_assets.cli.child"
NO_LOCK = "-"
STANDARD_INPUT = 0


def main(lock: str, *command: str) -> int:
    """Run the command until it ends, until the supervisor is gone, or until SIGTERM; return its exit code."""
    asked_to_stop: list[int] = []
    # A signal writes a byte into this pipe, so that select() returns whenever it comes.
    signalled, wake_up = os.pipe()
    os.set_blocking(wake_up, False)
    signal.set_wakeup_fd(wake_up, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: asked_to_stop.append(number))
    # The server keeps the home locked as long as it lives, also if this process is killed.
    kept = () if lock == NO_LOCK else (int(lock),)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=kept)  # noqa: S603
    while process.poll() is None and not asked_to_stop:
        readable, _, _ = select.select([STANDARD_INPUT, signalled], [], [])
        if signalled in readable:
            os.read(signalled, 512)
        if STANDARD_INPUT in readable and not os.read(STANDARD_INPUT, 1):
            break
    end(family())
    # Processes that were started during the shutdown.
    end(family(), timeout_s=0)
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
