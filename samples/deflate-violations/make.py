#!/usr/bin/env python3
"""Writes capture.pcap: permessage-deflate gone wrong. The request target names the finding."""

import pathlib
import struct
import sys
import zlib

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
from craft import CONTINUATION, PING, PONG, TEXT, Capture, address, checksum  # noqa: E402


def fixed(*tokens):
    """A message in one block of fixed codes (RFC 1951 section 3.2.6), by hand, so that it does not depend on the version
    of zlib. Tokens are bytes, and (length, distance) pairs of lengths 3 to 10."""
    bits = [0, 1, 0]
    for token in tokens:
        if isinstance(token, bytes):
            for byte in token:
                assert byte < 144
                bits += code(0x30 + byte, 8)
        else:
            length, distance = token
            bits += code(length - 2, 7)
            extra = max(0, (distance - 1).bit_length() - 2)
            bits += code(2 * extra + ((distance - 1) >> extra), 5)
            bits += [(distance - 1) >> i & 1 for i in range(extra)]
    bits += [0] * 7 + [0, 0, 0]  # end of block; then the head of the empty stored block
    bits += [0] * (-len(bits) % 8)
    return bytes(sum(bit << i for i, bit in enumerate(bits[at:at + 8])) for at in range(0, len(bits), 8))


def code(value, width):
    """A Huffman code, its high bit first."""
    return [value >> i & 1 for i in reversed(range(width))]


def inflated(*messages):
    """What zlib makes of them, one after the other in one context."""
    inflate = zlib.decompressobj(-15)
    return [inflate.decompress(message + b"\0\0\xff\xff") for message in messages]


def stored(data):
    """A message in one stored block."""
    return b"\0" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data + b"\0"


OFFER = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
WHOLE = [("Sec-WebSocket-Extensions", "permessage-deflate")]
SMALL = [("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover; client_max_window_bits=9")]


def in_order(c):
    """The counterpart: RFC 7692 section 7.2.3, its examples. Nothing is wrong here."""
    c.upgrade("/in_order", OFFER, WHOLE)
    c.server(TEXT, bytes.fromhex("f248cdc9c90700"), rsv=4)
    c.server(TEXT, bytes.fromhex("f200110000"), rsv=4)
    c.server(TEXT, bytes.fromhex("000500faff48656c6c6f00"), rsv=4)
    c.server(TEXT, bytes.fromhex("f3 48 cd c9 c9 07 00 00"), rsv=4)
    c.client(TEXT, bytes.fromhex("f248cd"), rsv=4, fin=False)
    c.client(PING, b"never compressed")
    c.server(PONG, b"never compressed")
    c.client(CONTINUATION, bytes.fromhex("c9c90700"))
    c.client(TEXT, b"a plain message among compressed ones")


def inflate_error(c):
    c.upgrade("/inflate_error", OFFER, WHOLE)
    c.client(TEXT, b"\x07 a block of type 3 does not exist", rsv=4)
    c.client(TEXT, stored(b"the next message of that direction"), rsv=4)
    c.server(TEXT, stored(b"the other direction goes on"), rsv=4)


def inflate_window_exceeded(c):
    """A distance of 1000 bytes in a window of 2^9 = 512."""
    c.upgrade("/inflate_window_exceeded", OFFER, SMALL)
    text = c.capture.unique(32).hex().encode() * 16
    message = stored(text)[:-1] + fixed((10, 1000))
    assert inflated(message) == [text + text[-1000:][:10]]
    c.client(TEXT, message, rsv=4)


def inflate_context_lost(c):
    """Half a segment was not captured: what refers to it cannot be inflated any more."""
    c.upgrade("/inflate_context_lost", OFFER, WHOLE)
    messages = [stored(b"the same words each time"), fixed(b"again: ", (10, 31), (10, 31)), fixed((10, 20), (10, 20))]
    assert inflated(*messages)[1:] == [b"again: the same words each ", b"the same words each "]
    for number, message in enumerate(messages):
        c.client(TEXT, message, rsv=4)
        if number == 1:
            cut_last_segment(c.capture)
    c.server(TEXT, stored(b"the other direction goes on"), rsv=4)


def cut_last_segment(capture):
    """Of the last segment with payload only the first ten bytes were captured."""
    time, packet = capture.packets[-2]
    header, payload = packet[:54], packet[54:]
    ip, tcp = header[14:34], header[34:] + payload[:10]
    ip = ip[:2] + struct.pack("!H", 20 + len(tcp)) + ip[4:10] + b"\0\0" + ip[12:]
    ip = ip[:10] + checksum(ip) + ip[12:]
    tcp = tcp[:16] + b"\0\0" + tcp[18:]
    tcp = tcp[:16] + checksum(ip[12:] + struct.pack("!BBH", 0, 6, len(tcp)) + tcp) + tcp[18:]
    capture.packets[-2] = time, header[:14] + ip + tcp


capture = Capture()
for number, what in enumerate([in_order, inflate_error, inflate_window_exceeded, inflate_context_lost]):
    connection = capture.connect(52000 + number)
    what(connection)
    connection.close(1000)
    capture.wait(0.2)
capture.save(here / "capture.pcap")
