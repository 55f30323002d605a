"""Writes small captures for the samples that no real endpoint would send. Python 3, standard library only.

    capture = Capture()
    connection = capture.connect(50000)         # SYN, SYN ACK, ACK
    connection.upgrade("/chat")                 # a right opening handshake, RFC 6455 section 4
    connection.client(TEXT, b"hello")           # a masked frame in a segment of its own, and the server's ACK
    connection.server(TEXT, b"hello yourself")  # a frame without mask
    connection.close(1000)                      # Close both ways, FIN both ways
    capture.save("capture.pcap")

The same script always writes the same bytes: times begin at a fixed moment, masking keys are hashes of a counter.
Addresses are those kept for documentation (RFC 5737).
"""

import base64
import hashlib
import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MSS = 1460
STEP_US = 500
START = 1_767_225_600  # 2026-01-01T00:00:00Z


def accept_for(key):
    """Sec-WebSocket-Accept, RFC 6455 section 4.2.2."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def head(first_line, fields):
    return "\r\n".join([first_line, *(f"{name}: {value}" for name, value in fields), "", ""]).encode()


def close_body(code, reason=b""):
    return struct.pack("!H", code) + reason


def frame(opcode, payload=b"", *, fin=True, rsv=0, key=None, width=None, claimed=None):
    """One frame. `rsv` is three bits (RSV1 = 4); `width` forces 16 or 64 bits of length; `claimed` is the length that the
    header states where it is not that of the payload."""
    length = len(payload) if claimed is None else claimed
    width = width or (7 if length < 126 else 16 if length < 1 << 16 else 64)
    first = fin << 7 | rsv << 4 | opcode
    masked = 0x80 if key else 0
    out = {
        7: lambda: struct.pack("!BB", first, masked | length),
        16: lambda: struct.pack("!BBH", first, masked | 126, length),
        64: lambda: struct.pack("!BBQ", first, masked | 127, length),
    }[width]()
    if key:
        out += key
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    return out + payload


class Capture:
    """Packets with times; Ethernet, IPv4, TCP."""

    def __init__(self):
        self.packets = []
        self.now_us = START * 1_000_000
        self.counter = 0

    def unique(self, length):
        """Bytes that look random and are not."""
        self.counter += 1
        return hashlib.sha256(f"wslens {self.counter}".encode()).digest()[:length]

    def wait(self, seconds):
        self.now_us += round(seconds * 1_000_000)

    def connect(self, port, server_port=80):
        return Connection(self, port, server_port)

    def add(self, src, dst, seq, ack, flags, payload):
        options = b"\x02\x04" + struct.pack("!H", MSS) if flags & SYN else b""
        tcp = struct.pack("!HHIIBBHHH", src[1], dst[1], seq & 0xFFFF_FFFF, ack & 0xFFFF_FFFF,
                          (20 + len(options)) << 2, flags, 64240, 0, 0) + options + payload
        pseudo = address(src[0]) + address(dst[0]) + struct.pack("!BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + checksum(pseudo + tcp) + tcp[18:]
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), len(self.packets) + 1, 0x4000, 64, 6, 0,
                         address(src[0]), address(dst[0]))
        ip = ip[:10] + checksum(ip) + ip[12:]
        ethernet = b"\x02\0\0\0\0" + bytes([address(dst[0])[3]]) + b"\x02\0\0\0\0" + bytes([address(src[0])[3]]) + b"\x08\0"
        self.packets.append((self.now_us, ethernet + ip + tcp))
        self.now_us += STEP_US

    def save(self, path):
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
            for time, data in self.packets:
                out.write(struct.pack("<IIII", time // 1_000_000, time % 1_000_000, len(data), len(data)) + data)


def address(text):
    return bytes(int(part) for part in text.split("."))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


class Connection:
    """One TCP connection. `client` and `server` send frames, `send` sends bytes; every segment is acknowledged."""

    def __init__(self, capture, port, server_port):
        self.capture = capture
        self.ends = {"c2s": ("192.0.2.10", port), "s2c": ("192.0.2.80", server_port)}
        self.next = {"c2s": int.from_bytes(capture.unique(4), "big"), "s2c": int.from_bytes(capture.unique(4), "big")}
        self.key = base64.b64encode(capture.unique(16)).decode()
        self.segment("c2s", SYN)
        self.segment("s2c", SYN | ACK)
        self.segment("c2s", ACK)

    def segment(self, direction, flags, payload=b"", seq=None):
        """One segment as it is; without `seq` the next one in order."""
        other = "s2c" if direction == "c2s" else "c2s"
        in_order = seq is None
        seq = self.next[direction] if in_order else seq
        ack = self.next[other] if flags & ACK else 0
        self.capture.add(self.ends[direction], self.ends[other], seq, ack, flags, payload)
        if in_order:
            self.next[direction] += len(payload) + bool(flags & (SYN | FIN))

    def send(self, direction, data, answer=True):
        """Bytes, in as many segments as they need, and an ACK."""
        for at in range(0, len(data), MSS):
            self.segment(direction, PSH | ACK, data[at:at + MSS])
        if answer:
            self.segment("s2c" if direction == "c2s" else "c2s", ACK)

    def request(self, target="/", fields=(), *, method="GET", leave_out=(), key=None, version="13"):
        """The client's opening handshake; `fields` come at its end."""
        usual = [("Host", "ws.example"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
                 ("Sec-WebSocket-Key", self.key if key is None else key), ("Sec-WebSocket-Version", version)]
        usual = [field for field in usual if field[0] not in leave_out]
        self.send("c2s", head(f"{method} {target} HTTP/1.1", [*usual, *fields]))

    def respond(self, fields=(), *, accept=None, leave_out=()):
        """The server's 101."""
        usual = [("Upgrade", "websocket"), ("Connection", "Upgrade"),
                 ("Sec-WebSocket-Accept", accept_for(self.key) if accept is None else accept)]
        usual = [field for field in usual if field[0] not in leave_out]
        self.send("s2c", head("HTTP/1.1 101 Switching Protocols", [*usual, *fields]))

    def upgrade(self, target="/", request=(), response=()):
        self.request(target, request)
        self.respond(response)

    def client(self, opcode, payload=b"", *, masked=True, **how):
        self.send("c2s", frame(opcode, payload, key=self.capture.unique(4) if masked else None, **how))

    def server(self, opcode, payload=b"", *, masked=False, **how):
        self.send("s2c", frame(opcode, payload, key=self.capture.unique(4) if masked else None, **how))

    def close(self, code=1000, reason=b""):
        """The closing handshake, begun by the client, and the end of TCP, begun by the server (RFC 6455 section 7.1.1)."""
        self.client(CLOSE, close_body(code, reason))
        self.server(CLOSE, close_body(code, reason))
        self.end()

    def end(self):
        """FIN both ways, the server first."""
        self.segment("s2c", FIN | ACK)
        self.segment("c2s", FIN | ACK)
        self.segment("s2c", ACK)
