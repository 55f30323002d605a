#!/usr/bin/env python3
"""Writes capture.pcap: what TCP and endpoints do besides breaking rules. The request target names the finding."""

import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
from craft import ACK, BINARY, PING, PONG, PSH, RST, TEXT, Capture, frame  # noqa: E402


def unanswered_ping(c):
    c.server(PING, b"1")
    c.client(PONG, b"1")
    c.server(PING, b"2")
    c.capture.wait(5)
    c.close(1001, b"no pong")


def unsolicited_pong(c):
    c.client(PONG, b"a heartbeat one way")
    c.close()


def tcp_overlap_conflict(c):
    """The same bytes twice, and not the same: what an observer sees depends on which copy it believes."""
    first = frame(TEXT, b"transfer 10 to Alice")
    seq = c.next["s2c"]
    c.segment("s2c", PSH | ACK, first)
    c.segment("s2c", PSH | ACK, frame(TEXT, b"transfer 99 to Mallo"), seq=seq)
    c.segment("c2s", ACK)
    c.close()


def tcp_gap(c):
    """Three segments of one message; the second was not captured."""
    message = frame(BINARY, c.capture.unique(32) * 100)
    for number, at in enumerate(range(0, len(message), 1460)):
        c.segment("s2c", PSH | ACK, message[at:at + 1460])
        if number == 1:
            c.capture.packets.pop()
    c.segment("c2s", ACK)
    c.server(TEXT, b"in step again, since the length of the frame is known")
    c.close()


def truncated_frame(c):
    """The server dies in the middle of a frame."""
    c.send("s2c", frame(TEXT, b"the first of many words", claimed=3000))
    c.segment("s2c", RST | ACK)


def aborted(c):
    """TCP ends, and nobody said why."""
    c.client(TEXT, b"hello")
    c.end()


def still_open(c):
    """The capture ends, the connection does not."""
    c.client(TEXT, b"hello")
    c.server(TEXT, b"hello")


capture = Capture()
ODDITIES = [unanswered_ping, unsolicited_pong, tcp_overlap_conflict, tcp_gap, truncated_frame, aborted, still_open]
for number, what in enumerate(ODDITIES):
    connection = capture.connect(53000 + number)
    connection.upgrade("/" + what.__name__)
    what(connection)
    capture.wait(0.2)
capture.save(here / "capture.pcap")
