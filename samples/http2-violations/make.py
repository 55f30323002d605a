#!/usr/bin/env python3
"""Writes capture.pcap: what can go wrong around a WebSocket in HTTP/2. The request target names it."""

import pathlib
import struct
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
from craft import ACK, CLOSE, TEXT, Capture, close_body, frame  # noqa: E402

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED = 1, 4, 8


def h2(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def block(fields, first=0):
    """A header block of literals; with `first` 0x40 they go into the table (RFC 7541 section 6.2)."""
    def string(text):
        assert len(text) < 127
        return bytes([len(text)]) + text.encode()
    return b"".join(bytes([first]) + string(name) + string(value) for name, value in fields)


def connect_fields(target):
    return [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", target),
            (":authority", "ws.example"), ("sec-websocket-version", "13")]


class Http2:
    """One HTTP/2 connection with one WebSocket on stream 1."""

    def __init__(self, capture, number, target, settings=b"\0\x08\0\0\0\x01"):
        self.c, self.target = capture.connect(54000 + number), target
        self.c.send("c2s", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2(SETTINGS, 0, 0))
        self.c.send("s2c", h2(SETTINGS, 0, 0, settings))

    def ask(self, stream=1, fields=None, first=0):
        self.c.send("c2s", h2(HEADERS, END_HEADERS, stream, block(fields or connect_fields(self.target), first)))

    def answer(self, stream=1, status="200"):
        self.c.send("s2c", h2(HEADERS, END_HEADERS, stream, block([(":status", status)])))

    def open(self, stream=1):
        self.ask(stream)
        self.answer(stream)

    def client(self, opcode, payload, stream=1):
        self.c.send("c2s", h2(DATA, 0, stream, frame(opcode, payload, key=self.c.capture.unique(4))))

    def server(self, opcode, payload, stream=1):
        self.c.send("s2c", h2(DATA, 0, stream, frame(opcode, payload)))

    def close(self, stream=1):
        self.client(TEXT, b"goodbye", stream)
        self.client(CLOSE, close_body(1000), stream)
        self.server(CLOSE, close_body(1000), stream)
        self.c.send("c2s", h2(DATA, END_STREAM, stream))
        self.c.send("s2c", h2(DATA, END_STREAM, stream))


def handshake_malformed(h):
    """No `:authority`, and a field that HTTP/2 forbids."""
    h.ask(fields=[f for f in connect_fields(h.target) if f[0] != ":authority"] + [("connection", "upgrade")])
    h.answer()
    h.close()


def reset_before_the_answer(h):
    h.ask()
    h.c.send("s2c", h2(RST_STREAM, 0, 1, struct.pack("!I", 7)))


def goaway(h):
    h.ask()
    h.answer()
    h.client(TEXT, b"hello")
    h.c.send("s2c", h2(GOAWAY, 0, 0, struct.pack("!II", 1, 11) + b"calm down"))
    h.c.end()


def cancelled(h):
    h.open()
    h.server(TEXT, b"never finished")
    h.c.send("c2s", h2(RST_STREAM, 0, 1, struct.pack("!I", 8)))


def http2_error(h):
    """Padding longer than its frame, a header block that is interrupted, an index of nothing."""
    h.open()
    h.c.send("c2s", h2(DATA, PADDED, 1, b"\x09abc"))
    h.c.send("c2s", h2(HEADERS, 0, 3, block([(":method", "GET")])) + h2(PING, 0, 0, bytes(8)))
    h.c.send("s2c", h2(HEADERS, END_HEADERS | END_STREAM, 3, b"\xff\x7f"))
    h.close()


def rapid_reset(h):
    h.open()
    get = block([(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "ws.example")])
    for number in range(1, 1101):
        stream = 2 * number + 1
        h.c.send("c2s", h2(HEADERS, END_HEADERS | END_STREAM, stream, get if number < 2 else get[:0] + b"\x82\x86\x84")
                 + h2(RST_STREAM, 0, stream, struct.pack("!I", 8)), answer=number % 100 == 0)
        h.c.capture.now_us -= 400
    h.close()


def header_bomb(h):
    """A field of 120 bytes, and 2,000 references to it."""
    h.open()
    h.c.send("c2s", h2(HEADERS, END_HEADERS, 3, block([("a", "x" * 120)], 0x40) + b"\xbe" * 2000))
    h.close()


def tcp_gap(h):
    """A hole over the borders of DATA frames of two streams; both go on behind it."""
    h.open()
    h.ask(3, connect_fields(h.target + "/other"))
    h.answer(3)
    for number in range(12):
        h.client(TEXT, b"message %d" % number, 1 + number % 2 * 2)
        if number == 4:
            del h.c.capture.packets[-4:-1]
    h.c.capture.wait(1)
    h.close(1)
    h.close(3)


def unknown_header_block(h):
    """The capture lacks a request whose fields the next one refers to: not guessed, known by its frames."""
    h.ask(1, first=0x40)
    del h.c.capture.packets[-2:]
    h.c.segment("s2c", ACK)
    h.answer(1)
    h.c.send("c2s", h2(PING, 0, 0, bytes(8)) + h2(WINDOW_UPDATE, 0, 0, b"\0\0\1\0"))
    h.c.send("c2s", h2(HEADERS, END_HEADERS, 3, bytes(range(0xC3, 0xBD, -1))))
    h.answer(3)
    for number in range(8):
        h.client(TEXT, b"message %d" % number, 3)
        h.server(TEXT, b"echo %d" % number, 3)
    h.close(3)


capture = Capture()
CASES = [handshake_malformed, reset_before_the_answer, goaway, cancelled, http2_error, rapid_reset, header_bomb, tcp_gap,
         unknown_header_block]
for number, case in enumerate(CASES):
    case(Http2(capture, number, "/" + case.__name__))
    capture.wait(0.2)
connection = Http2(capture, len(CASES), "/not_announced", settings=b"\0\x03\0\0\0\x64")
connection.open()
connection.close()
capture.save(here / "capture.pcap")
