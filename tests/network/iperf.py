"""iperf3 in both directions: TCP and UDP, both families, several streams; and over a cable that loses, delays and reorders."""

import json

from harness import Failed, expect
from marks import short
from place import Place


class Client:
    """Asks a server of its own for each measurement: one that is asked again may not have seen the end of the last one yet."""

    def __init__(self, place, server, client):
        self.place, self.server, self.client, self.port = place, server, client, 5201

    def ask(self, address, words, limit):
        self.port += 1
        self.place.serve(self.server("iperf3", "-s", "-1", "-p", str(self.port)))
        result = {}

        def answered():
            command = self.client("iperf3", "-c", address, "-p", str(self.port), "--json", "--connect-timeout", "60000", *words)
            result.update(error=None)
            result.update(json.loads(self.place.box.finish(command, limit=limit).out))
            return "Connection refused" not in (result["error"] or "")  # it does not listen yet
        self.place.box.until(answered, "iperf3's server", limit)
        return result


def measure(client, address, *words, limit=200):
    result = client.ask(address, words, limit)
    while "unable to read from stream socket" in (result["error"] or "") and "-u" in words:
        result = client.ask(address, words, limit)  # iperf3 sends the datagram that opens a stream only once
    if result["error"]:
        raise Failed(f"{address} {words}: {result['error']}")
    return result["end"]


def tcp(client, address, amount, *words):
    end = measure(client, address, "-n", str(amount), *words)
    # It ends when it has sent, or got, so much; what is on its way then is not counted at the other side.
    sent = end["sum_sent"]["bytes"] + end.get("sum_sent_bidir_reverse", {"bytes": 0})["bytes"]
    expect(sent >= amount * 0.8, True, f"{address} {words}: {sent} of {amount} bytes sent")


def servers(place):
    for server, client, *addresses in place.sides():
        yield Client(place, server, client), addresses


@short
def test_tcp(box):
    place = Place(box)
    place.contain()
    amount = (1 if box.mode == "ring0" else 30) << 20
    for client, addresses in servers(place):
        for address in addresses:
            for words in ([], ["-R"], ["-P", "4"], ["-P", "4", "-R"], ["--bidir"]):
                tcp(client, address, amount, *words)
        # The other sender, small segments, small windows, no delay.
        for words in (["-C", "reno"], ["-M", "536"], ["-w", "8K"], ["-N", "-l", "100"], ["-Z"]):
            tcp(client, addresses[0], amount // 10, *words)


def test_udp(box):
    """At a rate that both sides keep up with, what is sent arrives."""
    place = Place(box)
    place.contain()
    rate = "500K" if box.mode == "ring0" else "10M"
    for client, addresses in servers(place):
        for address in addresses:
            for words in ([], ["-R"], ["-P", "4"], ["-l", "4000"]):
                end = measure(client, address, "-u", "-b", rate, "-n", "100K" if box.mode == "ring0" else "1M", *words)
                total = end["sum"]
                expect(total["packets"] > 20 and total["lost_percent"] < 20, True, f"{address} {words}: {total}")
