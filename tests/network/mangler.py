"""A cable that loses, delays and reorders frames, as tc-netem(8) does: not every kernel that tests run on has that.

usage: mangler.py DEVICE DEVICE [loss=PERCENT] [delay=MILLISECONDS] [reorder=PERCENT]
Of the frames that are delayed, `reorder` percent are not: they overtake the others.
"""

import heapq
import random
import select
import socket
import sys
import time

PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33


def main():
    wanted = dict(word.split("=") for word in sys.argv[3:])
    loss, delay, reorder = (float(wanted.get(key, 0)) for key in ("loss", "delay", "reorder"))
    chance = random.Random(1)
    ends = []
    for name in sys.argv[1:3]:
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        end.bind((name, 3))
        end.setblocking(False)
        ends.append(end)
    print("ready", flush=True)
    waiting, number = [], 0  # (when, order of arrival, frame, where to)
    while True:
        left = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select(ends, [], [], left)
        now = time.monotonic()
        for end in readable:
            other = ends[1] if end is ends[0] else ends[0]
            for _ in range(64):
                try:
                    frame, source = end.recvfrom(70000)
                except BlockingIOError:
                    break
                if source[2] == PACKET_OUTGOING or chance.random() * 100 < loss:
                    continue
                number += 1
                late = delay / 1000 if delay and chance.random() * 100 >= reorder else 0
                heapq.heappush(waiting, (now + late, number, frame, other))
        while waiting and waiting[0][0] <= now:
            _, _, frame, end = heapq.heappop(waiting)
            try:
                end.send(frame)
            except OSError:
                pass  # a full queue or a device that is down: lost


main()
