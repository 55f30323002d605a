#!/usr/bin/env python3
"""Writes capture.pcap: opening handshakes that RFC 6455 section 4 does not allow. The request target names the rule."""

import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
from craft import TEXT, Capture, accept_for, head  # noqa: E402

DEFLATE = "Sec-WebSocket-Extensions"
PROTOCOL = "Sec-WebSocket-Protocol"


def accept_mismatch(c):
    c.request("/accept_mismatch")
    c.respond(accept=accept_for("a key that nobody sent"))


def accept_missing(c):
    c.request("/accept_missing")
    c.respond(leave_out=["Sec-WebSocket-Accept"])


def key_invalid(c):
    c.key = "c2hvcnQ="
    c.request("/key_invalid")
    c.respond()


def version_unsupported(c):
    c.request("/version_unsupported", version="8")
    c.send("s2c", head("HTTP/1.1 426 Upgrade Required", [("Sec-WebSocket-Version", "13"), ("Content-Length", "0")]))


def handshake_malformed(c):
    c.request("/handshake_malformed/request", method="POST", leave_out=["Connection"])
    c.send("s2c", head("HTTP/1.1 400 Bad Request", [("Content-Length", "0")]))


def handshake_malformed_response(c):
    c.request("/handshake_malformed/response")
    c.respond([("Sec-WebSocket-Accept", accept_for(c.key))], leave_out=["Upgrade"])


def subprotocol_not_offered(c):
    c.upgrade("/subprotocol_not_offered", [(PROTOCOL, "chat.v1, chat.v2")], [(PROTOCOL, "chat.v3")])


def extension_not_offered(c):
    c.upgrade("/extension_not_offered", [], [(DEFLATE, "permessage-deflate")])


def extension_params_invalid(c):
    c.upgrade("/extension_params_invalid", [(DEFLATE, "permessage-deflate; client_max_window_bits")],
              [(DEFLATE, "permessage-deflate; server_max_window_bits=7; client_max_window_bits")])


def upgrade_ignored(c):
    c.request("/upgrade_ignored")
    c.send("s2c", head("HTTP/1.1 200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")]) + b"hello\n")


def http_after_upgrade(c):
    """A server that has not noticed that it said 101."""
    c.upgrade("/http_after_upgrade")
    c.client(TEXT, b"hello")
    c.send("s2c", head("HTTP/1.1 200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")]) + b"hello\n")


capture = Capture()
RULES = [accept_mismatch, accept_missing, key_invalid, version_unsupported, handshake_malformed,
         handshake_malformed_response, subprotocol_not_offered, extension_not_offered, extension_params_invalid,
         upgrade_ignored, http_after_upgrade]
for number, rule in enumerate(RULES):
    connection = capture.connect(51000 + number)
    rule(connection)
    connection.end()
    capture.wait(0.2)
capture.save(here / "capture.pcap")
