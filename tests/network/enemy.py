"""A peer that does not keep to the rules, on a packet socket, under addresses that its host does not have.

usage: enemy.py DEVICE TARGET MAC PORT WHAT COUNT
Prints "ready" before it begins and "done" when COUNT of whatever it is have been sent, and stays until its standard input ends.
"""

import itertools
import random
import select
import socket
import struct
import sys
import time

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def total(data):
    if len(data) % 2:
        data += b"\0"
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 65535) + (value >> 16)
    return ~value & 65535


class Enemy:
    def __init__(self, device, target, mac, port):
        self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.raw.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.raw.bind((device, 3))
        self.raw.setblocking(False)
        self.own, self.mac = self.raw.getsockname()[4], bytes.fromhex(mac.replace(":", ""))
        self.target, self.port = socket.inet_aton(target), port
        self.chance = random.Random(5)
        self.number = itertools.count()

    def address(self, n):
        return socket.inet_aton(f"10.77.0.{100 + n % 100}")

    def frame(self, ether, payload):
        while True:
            try:
                self.raw.send(self.mac + self.own + struct.pack("!H", ether) + payload)
                return
            except BlockingIOError:
                select.select([], [self.raw], [])

    def ip(self, source, protocol, payload, fragment=0, number=0):
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number, fragment, 64, protocol, 0, source, self.target)
        header = header[:10] + struct.pack("!H", total(header)) + header[12:]
        self.frame(0x0800, header + payload)

    def tcp(self, source, port, seq, ack, flags, data=b"", window=65535, options=b""):
        size = 20 + len(options)
        head = struct.pack("!HHIIBBHHH", port, self.port, seq & 0xffffffff, ack & 0xffffffff, size // 4 << 4, flags, window, 0, 0)
        body = head + options + data
        pseudo = source + self.target + struct.pack("!BBH", 0, 6, len(body))
        self.ip(source, 6, body[:16] + struct.pack("!H", total(pseudo + body)) + body[18:])

    def heard(self):
        """Answers ARP; gives (source address of ours, our port, seq, ack, flags, length) of TCP that has come."""
        for _ in range(256):
            try:
                frame, who = self.raw.recvfrom(70000)
            except BlockingIOError:
                return
            if who[2] == 4:
                continue
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[38:41] == b"\x0a\x4d\0" and 100 <= frame[41] < 200:
                self.frame(0x0806, frame[14:20] + b"\0\2" + self.own + frame[38:42] + frame[22:32])
            if frame[12:14] == b"\x08\0" and frame[23] == 6 and 100 <= frame[33] < 200:
                head = 14 + (frame[14] & 15) * 4
                _, port, seq, ack, off, flags = struct.unpack("!HHIIBB", frame[head:head + 14])
                length = struct.unpack("!H", frame[16:18])[0] - (frame[14] & 15) * 4 - (off >> 4) * 4
                yield frame[30:34], port, seq, ack, flags, length

    def wait(self, seconds):
        select.select([self.raw], [], [], seconds)

    # ---- what it does ----

    def flood(self, count):
        """SYNs from everywhere, answers to none."""
        for n in range(count):
            self.tcp(self.address(n), 1024 + n // 100 % 60000, self.chance.getrandbits(32), 0, SYN, options=b"\2\4\5\xb4")
            if n % 64 == 0:
                for _ in self.heard():
                    pass

    def connect(self, count, window=65535):
        """{(address, port): (our seq, their seq)} of connections that are made."""
        made, asked = {}, {}
        for n in range(count):
            key = (self.address(n), 2000 + n // 100)
            asked[key] = self.chance.getrandbits(32)
        end = time.monotonic() + 120
        while len(made) < count and time.monotonic() < end:
            for n, (key, seq) in enumerate(asked.items()):
                if key not in made:
                    self.tcp(*key, seq, 0, SYN, window=window, options=b"\2\4\5\xb4")
                if n % 16 == 0:
                    self.answer(asked, made, window)
            for _ in range(20):
                self.wait(0.01)
                self.answer(asked, made, window)
        if len(made) < count:
            sys.exit(f"{len(made)} of {count} connections made")
        return made

    def answer(self, asked, made, window):
        for source, port, seq, ack, flags, _ in self.heard():
            key = (source, port)
            if flags & (SYN | ACK) == SYN | ACK and key in asked:
                made[key] = (asked[key] + 1, seq + 1)
                self.tcp(*key, asked[key] + 1, seq + 1, ACK, window=window)

    def ask(self, made, what, window=65535):
        for key, (seq, ack) in made.items():
            self.tcp(*key, seq, ack, ACK | PSH, what, window)

    def silent(self, count):
        """Asks for much, acknowledges nothing of it."""
        self.ask(self.connect(count), b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")

    def shut(self, count):
        """Asks for much, and has no room for it."""
        made = self.connect(count)
        self.ask(made, b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 0)
        self.stay(made)

    def holes(self, count):
        """Every second byte, never the first."""
        made = self.connect(count)
        for at in range(2, 4000, 2):
            for key, (seq, ack) in made.items():
                self.tcp(*key, seq + at, ack, ACK, b"x")
            for _ in self.heard():
                pass

    def resets(self, count):
        """Segments for connections of others, whose numbers it does not know."""
        for _ in range(count):
            self.tcp(socket.inet_aton("10.77.0.1"), self.chance.randrange(32768, 61000), self.chance.getrandbits(32),
                     self.chance.getrandbits(32), self.chance.choice((RST, RST | ACK, SYN, FIN | ACK, ACK, SYN | ACK)), b"evil")

    def fragments(self, count):
        """Beginnings and ends of datagrams whose middle never comes."""
        for n in range(count):
            self.ip(self.address(n), 17, bytes(1480), 0x2000, n & 65535)
            self.ip(self.address(n), 17, bytes(1480), 0x2000 | 8000, n & 65535)

    def stay(self, made):
        """Answers every probe: still no room."""
        self.made = made

    def probes(self):
        for source, port, _, _, _, _ in self.heard():
            if (source, port) in self.made:
                seq, ack = self.made[source, port]
                self.tcp(source, port, seq + 28, ack, ACK, window=0)


def main():
    device, target, mac, port, what, count = sys.argv[1:]
    enemy = Enemy(device, target, mac, int(port))
    enemy.made = {}
    print("ready", flush=True)
    getattr(enemy, what)(int(count))
    print("done", flush=True)
    while True:  # until nobody wants it any more; ARP is answered meanwhile
        ready, _, _ = select.select([0, enemy.raw], [], [])
        if 0 in ready:
            return
        enemy.probes()


main()
