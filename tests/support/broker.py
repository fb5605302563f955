"""Debian's Mosquitto, an MQTT broker, for one test."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

USER, PASSWORD = "home", "a/secret:with@signs"
# Debian puts it where only an administrator's shell looks.
WHERE = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
LONGEST_WAIT_S = 30


@dataclass(frozen=True)
class Broker:
    """A running broker, which takes one user."""

    port: int

    @property
    def url(self) -> str:
        return f"mqtt://{USER}:a%2Fsecret%3Awith%40signs@127.0.0.1:{self.port}"

    def retained(self, number: int) -> dict[str, str]:
        """Return what the broker keeps, by topic, once it has sent ``number`` messages."""
        kept: dict[str, str] = {}
        whole = threading.Event()

        def subscribe(client: paho.Client, *_: Any) -> None:
            client.subscribe("#", qos=1)

        def note(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
            assert message.retain
            kept[message.topic] = message.payload.decode()
            if len(kept) == number:
                whole.set()

        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(USER, PASSWORD)
        client.on_connect, client.on_message = subscribe, note
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        try:
            assert whole.wait(LONGEST_WAIT_S), f"only {sorted(kept)} came"
        finally:
            client.disconnect()
            client.loop_stop()
        return kept


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """Run a broker until the block ends; in CI it must be there, elsewhere its absence skips."""
    program = shutil.which("mosquitto", path=WHERE)
    if program is None:
        message = "no mosquitto: install Debian's package of that name"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    passwords = folder / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(
        [shutil.which("mosquitto_passwd") or "mosquitto_passwd", "-b", str(passwords), USER, PASSWORD],
        check=True,
        capture_output=True,
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nuser root\n",
        encoding="utf-8",
    )
    with subprocess.Popen(
        [program, "-v", "-c", str(configuration)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if line.rstrip().endswith("running"):
                    break
            else:
                pytest.fail(f"mosquitto did not start: {said}")
            # It must never wait for a reader of what it says.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield Broker(port)
        finally:
            process.terminate()
            process.wait()
