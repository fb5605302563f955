"""The sending of retained messages to an MQTT broker, within a time limit."""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from co2_assets.settings import Settings

logger = logging.getLogger(__name__)

# From the connection to the broker's last receipt.
TIMEOUT_S = 10.0
PORT, TLS_PORT = 1883, 8883
# Each message is sent until the broker has said that it has it.
AT_LEAST_ONCE = 1


class BrokerError(Exception):
    """The broker did not take all messages; the message says why and has no secret."""


def publish(settings: Settings, messages: Mapping[str, str]) -> bool:
    """Send messages, by topic, to CO2_MQTT_URL; return whether all were taken. A failure is logged."""
    try:
        _publish(settings.mqtt_url, messages)
    except (OSError, ValueError, RuntimeError, BrokerError) as error:
        logger.warning("The forecast was not sent to the MQTT broker: %s; check CO2_MQTT_URL", error)
        return False
    return True


def _publish(url: str, messages: Mapping[str, str]) -> None:
    parts = urlsplit(url)
    # The library asks for the version of its callbacks; an identifier is made by the broker.
    client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    if parts.username is not None:
        password = None if parts.password is None else unquote(parts.password)
        client.username_pw_set(unquote(parts.username), password)
    secure = parts.scheme == "mqtts"
    if secure:
        client.tls_set()
    answered = threading.Event()
    refusals: list[str] = []

    def connected(
        _client: paho.Client, _data: Any, _flags: paho.ConnectFlags, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            refusals.append(str(reason))
        answered.set()

    client.on_connect = connected
    deadline = time.monotonic() + TIMEOUT_S
    client.connect_timeout = TIMEOUT_S
    client.connect(parts.hostname or "", parts.port or (TLS_PORT if secure else PORT))
    client.loop_start()
    try:
        if not answered.wait(deadline - time.monotonic()):
            raise BrokerError(f"it did not answer within {TIMEOUT_S:g} s")
        if refusals:
            raise BrokerError(f"it refused the connection ({refusals[0]})")
        receipts = [
            client.publish(topic, text, qos=AT_LEAST_ONCE, retain=True) for topic, text in messages.items()
        ]
        for receipt in receipts:
            receipt.wait_for_publish(max(0.01, deadline - time.monotonic()))
        if not all(receipt.is_published() for receipt in receipts):
            raise BrokerError(f"it did not take all messages within {TIMEOUT_S:g} s")
    finally:
        client.disconnect()
        client.loop_stop()
