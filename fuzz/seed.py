#!/usr/bin/env python3
"""Cuts the seeds of all targets from captures: fuzz/seed.py CAPTURES, a folder of pcap files made with real clients and
servers. Run again only when a target's script changes; what it writes (fuzz/seeds/) is in the repository.

Each seed is written as its target reads it: see the heads of tests/all/fuzzed/*.rs."""
import pathlib
import struct
import sys
import zlib

captures = pathlib.Path(sys.argv[1])
seeds = pathlib.Path(__file__).parent / "seeds"


def write(target, name, data):
    folder = seeds / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def records(path):
    """Link type and (seconds, fraction, original length, bytes) of each packet of a classic pcap file."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    at, out = 24, []
    while at + 16 <= len(data):
        sec, frac, cap, orig = struct.unpack(order + "IIII", data[at:at + 16])
        out.append((sec, frac, orig, data[at + 16:at + 16 + cap]))
        at += 16 + cap
    return link, out


def pcap(path, budget):
    """The first packets of a capture, header included, of about that many bytes."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        cap = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        if at + 16 + cap > budget:
            break
        at += 16 + cap
    return data[:at]


def pcapng(path, budget):
    data, at = path.read_bytes(), 0
    while at + 12 <= len(data):
        length = struct.unpack("<I", data[at + 4:at + 8])[0]
        if at + length > budget:
            break
        at += length
    return data[:at]


def segments(path):
    """(from, sequence number, flags, payload) of the TCP segments over Ethernet and IPv4; from 0 is who sent first."""
    link, packets = records(path)
    first = None
    for *_, data in packets:
        if link != 1 or data[12:14] != b"\x08\x00" or data[23] != 6:
            continue
        ip = data[14:]
        tcp = ip[(ip[0] & 15) * 4:struct.unpack(">H", ip[2:4])[0]]
        ports = struct.unpack(">HH", tcp[:4])
        first = first or ports
        if ports not in (first, first[::-1]):
            continue
        seq, ack = struct.unpack(">II", tcp[4:12])
        yield int(ports != first), seq, ack, tcp[13], tcp[(tcp[12] >> 4) * 4:]


# Files as they are.
for name in ["ws-plain-abnormal", "graphql-ws", "snaplen96", "pmd-bomb-2mib", "any-sll2", "bigendian", "null-be", "ipfrag",
             "nanosecond", "handshake-failures", "midstream", "gap", "overlap", "pmd-default", "pmd-nocontext",
             "ws-plain-fragmented", "ws-plain-closes", "proxy-connect-ws", "ipv6", "vlan"]:
    path = captures / f"{name}.pcap"
    write("read", name, pcap(path, 5000))
    if name in ("graphql-ws", "bigendian", "nanosecond", "any-sll2"):
        write("capture", name, b"\x00" + pcap(path, 1500))
        write("capture", name + "-cut", b"\x03\x10\x01\x63" + pcap(path, 1500))
gzip = zlib.compressobj(9, zlib.DEFLATED, 31)
write("capture", "gzip", b"\x00" + gzip.compress(pcap(captures / "graphql-ws.pcap", 2500)) + gzip.flush())
for name in ["plain", "chromium-wss-dsb", "two-links"]:
    write("capture", name, b"\x02\x20\x80" + pcapng(captures / f"{name}.pcapng", 2500))
write("read", "plain-pcapng", pcapng(captures / "plain.pcapng", 5000))

# Packets: a link type, then length and flags, time, bytes.
LINKS = {0: 0, 1: 1, 101: 2, 108: 3, 113: 4, 228: 5, 229: 6, 276: 7}
for name in ["graphql-ws", "any-sll", "any-sll2", "null-be", "null-le", "rawip", "vlan", "qinq", "gre", "vxlan", "ipfrag", "ipv6",
             "snaplen96"]:
    link, packets = records(captures / f"{name}.pcap")
    out = bytes([LINKS[link]])
    for _, _, orig, data in packets[:60 if name == "ipfrag" else 12]:
        data = data[:1600]
        if len(out) + len(data) > 2500:
            break
        cut = min(15, (orig - len(data) + 99) // 100)
        out += struct.pack("<H", len(data) | cut << 11) + b"\x01" + data
    write("packets", name, out)

# Segments: kind, place, acknowledged, length.
for name in ["net-base", "net-reorder", "net-duplicate", "net-loss", "overlap", "gap", "graphql-ws"]:
    base, out = {}, b"\x00" + bytes(4)
    for who, seq, ack, flags, payload in segments(captures / f"{name}.pcap"):
        base.setdefault(who, seq + (flags >> 1 & 1))
        base.setdefault(1 - who, ack)
        at, acked = (seq - base[who]) & 0xFFFF, (ack - base[1 - who]) & 0xFFFF
        if payload and len(out) < 1500:
            out += struct.pack("<BHHB", who | 64, at, acked, min(len(payload), 255))
    write("reassembly", name, out)
    write("reassembly", name + "-tight", b"\x02" + out[1:])
    write("reassembly", name + "-any", b"\x01" + out[1:])

# Heads: kind, length, bytes. Frames: context, cuts, holes, bytes. Boundaries: expected, room, cuts, bytes.
for name in ["graphql-ws", "jsonrpc", "stomp", "socketio", "handshake-failures", "handshake-refused", "keepalive-upgrade",
             "proxy-connect-ws", "ws-plain-abnormal", "ws-plain-basic", "ws-plain-closes", "ws-plain-fragmented", "pmd-default",
             "pmd-nocontext", "mqtt-ws"]:
    heads, sides, behind = b"\x03\x07\x40\x01", [b"", b""], [False, False]
    talk = b"\x00\x01x\x00"
    for who, seq, ack, flags, payload in segments(captures / f"{name}.pcap"):
        if payload[:5] in (b"GET /", b"HTTP/", b"POST ", b"CONNE") and not behind[who]:
            behind[who] = payload[:5] == b"GET /" or payload[:12] == b"HTTP/1.1 101"
            rest = payload
            while rest and len(heads) < 2000:
                heads += bytes([who, len(rest[:255])]) + rest[:255]
                rest = rest[255:]
        elif payload and behind[who]:
            sides[who] += payload
            if len(talk) < 1500:
                talk += bytes([who, len(payload[:255])]) + payload[:255]
    write("http", name, heads)
    if any(sides):
        write("conversation", name, talk)
        write("conversation", name + "-mid", b"\x01" + talk[1:])
    for who, side in enumerate(sides):
        if side:
            write("frames", f"{name}-{who}", bytes([who]) + b"\x02\x05\x21\x00" + side[:700])
            write("frames", f"{name}-{who}-hole", bytes([who]) + b"\x01\x40\x01\x20\x00\x10" + side[:300])
            write("resync", f"{name}-{who}", bytes([1 - who | 2]) + b"\x40\x03\x30\x7f\x19" + side[1:600])
            write("resync", f"{name}-{who}-gap", bytes([5 - who]) + b"\x20\x02\x60\xff" + side[3:700])

# Frames of each kind, whole and in fragments.
frame = lambda who, first, payload: bytes([who | 16, len(payload), first]) + payload
text = '"\u202e=1+1;\u00e9\\'.encode()
write("conversation", "kinds", b"\x00\x04abcd\x04soap" + frame(0, 0x81, text) + frame(1, 1, b"a") + frame(1, 9, b"ping")
      + frame(0, 0x8A, b"ping") + frame(1, 0x80, b"b") + frame(0, 0x88, b"\x03\xe8bye\x1b[31m") + frame(1, 0x88, b"\x03\xe8")
      + b"\x06\x00\x07\x00")
deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
messages = [b"Hello, hello, hello", b"Hello again, hello", bytes(2000), b"hello"]
payloads = [deflate.compress(m)+ deflate.flush(zlib.Z_SYNC_FLUSH) for m in messages]
talk = b"".join(frame(1, 0xC1, p[:-4]) for p in payloads)
write("conversation", "deflated", b"\x00\x00\x00" + talk)
write("conversation", "deflated-gap", b"\x00\x00\x00" + frame(1, 0xC1, payloads[0][:-4]) + b"\x03\x10" + talk[8:])
write("conversation", "late", b"\x20\x00\x00\x0b\x04\x81\x05he" + b"\x01\x03llo\x0c\x00" + frame(0, 0x82, b"\x00\xff") + b"\x04\x20")
write("conversation", "long", b"\x20\x00\x00\x0f\x40abcd\x01\x0e\x40abcd\x82" + b"\x05\x10" + frame(1, 0x80, b"end"))

# Compressed: options, cuts, then messages (what, length, bytes), or any bytes.
for at, options in enumerate([0, 2, 4, 8, 0xE4, 0x06]):
    body = b"".join(bytes([what, len(m[:200])]) + m[:200] for what, m in zip([0, 1, 3, 0xD1, 1, 0x81], messages + messages[:2]))
    write("inflate", f"honest-{at}", bytes([options]) + b"\x02\x03\x20" + body)
for at, options in enumerate([0x71, 0x73, 0x75, 0x01, 0x11]):
    write("inflate", f"any-{at}", bytes([options]) + b"\x02\x01\x10" + payloads[at % 4][:-4])
stored = zlib.compressobj(0, zlib.DEFLATED, -15)
write("inflate", "stored", b"\x71\x00" + stored.compress(b"as it is") + stored.flush(zlib.Z_SYNC_FLUSH)[:-4])
final = zlib.compressobj(9, zlib.DEFLATED, -15)
write("inflate", "final", b"\x71\x00" + final.compress(b"the end") + final.flush())

# HTTP/2: options, no cuts, then each frame as it is (kind, stream, length, bytes) or its header blocks.
for name in ["h2c-websocket", "h2c-websocket-smallframes"]:
    sides, blocks = {0: b"", 1: b""}, {0: b"\x00\x00", 1: b"\x01\x02\x03\x11"}
    talk = b"\x01\x00"
    for who, seq, ack, flags, payload in segments(captures / f"{name}.pcap"):
        sides[who] += payload
        while payload and len(talk) < 4000:
            talk += bytes([who, 0, len(payload[:255])]) + payload[:255]
            payload = payload[255:]
    for who, side in sides.items():
        at = 24 if who == 0 else 0
        while at + 9 <= len(side):
            length = int.from_bytes(side[at:at + 3], "big")
            if side[at + 3] == 1 and length < 256:
                blocks[who] += bytes([0, length]) + side[at + 9:at + 9 + length]
            at += 9 + length
        write("header_block", f"{name}-{who}", blocks[who][:2000])
    write("http2", name, talk)
    write("http2", name + "-mid", talk[:1] + b"\x02\x07\x30" + talk[400:2400])
step = lambda kind, stream, *rest: bytes([kind, stream]) + b"".join(rest)
data = lambda who, stream, first, text: step(12 | who, stream, bytes([len(text), first]), text)
write("http2", "made", b"\x00\x00" + step(8, 1, b"\x00") + step(9, 1, b"\x00") + data(0, 1, 0x81, b"hello") + data(1, 1, 0x81, b"yes")
      + step(8, 3, b"\x00") + step(11, 3, b"\x00") + step(2, 0, b"\x04") + data(0, 1, 0x82, b"lost") + data(0, 1, 0x88, b"\x03\xe8")
      + step(18, 1, b"\x04\x03\x00\x00\x00\x00\x08") + step(19, 0, b"\x08\x07\x00" + bytes(8)) + step(7, 0, b"\x00"))
