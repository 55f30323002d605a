#!/usr/bin/env python3
"""Writes capture.pcap: one connection for each rule that frames can break. The request target names the rule."""

import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
from craft import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Capture, close_body  # noqa: E402

KAPPA = "κόσμε".encode()
ILL_FORMED = KAPPA + b"\xed\xa0\x80edited"  # a surrogate: RFC 3629 section 3 forbids it


def unmasked_client_frame(c):
    c.client(TEXT, b"no mask", masked=False)


def masked_server_frame(c):
    c.server(TEXT, b"a mask", masked=True)


def rsv_bits(c):
    c.client(TEXT, b"RSV1 without permessage-deflate", rsv=4)
    c.server(BINARY, b"RSV2 and RSV3", rsv=3)


def reserved_opcode(c):
    c.client(3, b"a data frame of the future")
    c.server(11, b"a control frame of the future")


def length_not_minimal(c):
    c.client(BINARY, b"16 bits", width=16)
    c.server(BINARY, b"64 bits", width=64)


def length_too_large(c):
    c.client(BINARY, b"the rest of 2^63 bytes does not come", width=64, claimed=1 << 63)


def control_too_long(c):
    c.client(PING, b"x" * 126)
    c.server(PONG, b"x" * 126)


def control_fragmented(c):
    c.client(PING, b"first half", fin=False)
    c.server(PONG, b"first half")


def unexpected_continuation(c):
    c.client(CONTINUATION, b"of nothing")


def expected_continuation(c):
    c.client(TEXT, b"never to be", fin=False)
    c.client(TEXT, b"another one")


def fragments_in_order(c):
    """The counterpart: nothing wrong here."""
    c.client(TEXT, KAPPA[:3], fin=False)
    c.client(PING, b"between fragments")
    c.server(PONG, b"between fragments")
    c.client(CONTINUATION, KAPPA[3:])


def invalid_utf8(c):
    c.client(TEXT, ILL_FORMED)
    c.server(TEXT, KAPPA[:-1])


def invalid_utf8_in_a_fragment(c):
    """Its second byte makes it certain, in the third frame."""
    first = len(KAPPA)
    c.client(TEXT, ILL_FORMED[:first], fin=False)
    c.client(CONTINUATION, ILL_FORMED[first:first + 1], fin=False)
    c.client(CONTINUATION, ILL_FORMED[first + 1:])


def close_payload_too_short(c):
    c.client(CLOSE, b"\x03")


def close_reason_invalid_utf8(c):
    c.client(CLOSE, close_body(1000, ILL_FORMED))


def data_after_close(c):
    c.client(CLOSE, close_body(1000, b"bye"))
    c.client(TEXT, b"one more thing")


def control_after_close(c):
    c.client(CLOSE, close_body(1000, b"bye"))
    c.client(PING, b"still there?")


def invalid_close_code(code):
    def close(c):
        c.client(CLOSE, close_body(code))
    close.__name__ = f"invalid_close_code/{code}"
    return close


capture = Capture()
RULES = [unmasked_client_frame, masked_server_frame, rsv_bits, reserved_opcode, length_not_minimal, length_too_large,
         control_too_long, control_fragmented, unexpected_continuation, expected_continuation, fragments_in_order,
         invalid_utf8, invalid_utf8_in_a_fragment, close_payload_too_short, close_reason_invalid_utf8,
         data_after_close, control_after_close, *map(invalid_close_code, [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])]
for number, rule in enumerate(RULES):
    connection = capture.connect(50000 + number)
    connection.upgrade("/" + rule.__name__)
    rule(connection)
    connection.server(CLOSE, close_body(1000 if rule is fragments_in_order else 1002))
    connection.end()
    capture.wait(0.2)
capture.save(here / "capture.pcap")
