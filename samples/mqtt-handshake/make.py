#!/usr/bin/env python3
"""Writes capture.pcap: the opening handshake of a well-known page about WebSocket, and MQTT 3.1 behind it."""

import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
from craft import BINARY, Capture, accept_for, head  # noqa: E402

KEY, ACCEPT = "OfMWmQZlMFBWe/o7k1CzZg==", "PqfV+Vb3mDtpMlZ/bO+GBzyX4N8="
assert accept_for(KEY) == ACCEPT


def text(value):
    return len(value).to_bytes(2, "big") + value


def packet(first, body=b""):
    """An MQTT control packet shorter than 128 bytes: one byte of remaining length."""
    return bytes([first, len(body)]) + body


CONNECT = packet(0x10, text(b"MQIsdp") + b"\x03\x02" + (60).to_bytes(2, "big") + text(b"wslens-sample"))
CONNACK = packet(0x20, b"\x00\x00")
SUBSCRIBE = packet(0x82, b"\x00\x01" + text(b"rooms/+/temperature") + b"\x00")
SUBACK = packet(0x90, b"\x00\x01\x00")
PUBLISH = packet(0x30, text(b"rooms/kitchen/temperature") + b"21.5")
PINGREQ, PINGRESP, DISCONNECT = packet(0xC0), packet(0xD0), packet(0xE0)

capture = Capture()
connection = capture.connect(49320)
connection.send("c2s", head("GET /mqtt HTTP/1.1", [
    ("Host", "broker.example"),
    ("Connection", "Upgrade"),
    ("Pragma", "no-cache"),
    ("Cache-Control", "no-cache"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("User-Agent", "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) "
                   "Chrome/49.0.2623.110 Safari/537.36"),
    ("Accept-Encoding", "gzip, deflate, sdch"),
    ("Accept-Language", "en-US,en;q=0.8"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
    ("Sec-WebSocket-Protocol", "mqttv3.1"),
]))
capture.wait(0.021)
connection.send("s2c", head("HTTP/1.1 101 Switching Protocols", [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", ACCEPT),
    ("Sec-WebSocket-Protocol", "mqttv3.1"),
]))
for direction, data in [("c2s", CONNECT), ("s2c", CONNACK), ("c2s", SUBSCRIBE), ("s2c", SUBACK), ("s2c", PUBLISH)]:
    capture.wait(0.019)
    (connection.client if direction == "c2s" else connection.server)(BINARY, data)
capture.wait(60)
connection.client(BINARY, PINGREQ)
connection.server(BINARY, PINGRESP)
capture.wait(12)
connection.client(BINARY, DISCONNECT)
connection.close(1000)
capture.save(here / "capture.pcap")
