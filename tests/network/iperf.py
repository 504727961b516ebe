"""iperf3 in both directions: TCP and UDP, both families, several streams; and over a cable that loses, delays and reorders."""

import json

from harness import Failed, expect
from marks import short
from place import Place


def measure(place, client, address, *words, limit=200):
    def ask():
        done = place.box.finish(client("iperf3", "-c", address, "--json", "--connect-timeout", "60000", *words), limit=limit)
        return json.loads(done.out)
    result = ask()
    while "server is busy" in result.get("error", ""):  # it has not seen the end of the last one yet
        result = ask()
    if "error" in result:
        raise Failed(f"{address} {words}: {result['error']}")
    return result["end"]


def tcp(place, client, address, amount, *words):
    end = measure(place, client, address, "-n", str(amount), *words)
    # It ends when it has sent, or got, so much; what is on its way then is not counted at the other side.
    sent = end["sum_sent"]["bytes"] + end.get("sum_sent_bidir_reverse", {"bytes": 0})["bytes"]
    expect(sent >= amount * 0.8, True, f"{address} {words}: {sent} of {amount} bytes sent")


def servers(place):
    for server, client, *addresses in place.sides():
        place.serve(server("iperf3", "-s"))
        place.wait_for_server(client, addresses[0])
        yield client, addresses


class Iperf(Place):
    def wait_for_server(self, client, address):
        self.box.until(lambda: self.box.finish(client("iperf3", "-c", address, "-n", "1")).status == 0, "iperf3's server")


@short
def test_tcp(box):
    place = Iperf(box)
    place.contain()
    amount = (1 if box.mode == "ring0" else 30) << 20
    for client, addresses in servers(place):
        for address in addresses:
            for words in ([], ["-R"], ["-P", "4"], ["-P", "4", "-R"], ["--bidir"]):
                tcp(place, client, address, amount, *words)
        # The other sender, small segments, small windows, no delay.
        for words in (["-C", "reno"], ["-M", "536"], ["-w", "8K"], ["-N", "-l", "100"], ["-Z"]):
            tcp(place, client, addresses[0], amount // 10, *words)


def test_udp(box):
    """At a rate that both sides keep up with, what is sent arrives."""
    place = Iperf(box)
    place.contain()
    rate = "500K" if box.mode == "ring0" else "10M"
    for client, addresses in servers(place):
        for address in addresses:
            for words in ([], ["-R"], ["-P", "4"], ["-l", "4000"]):
                end = measure(place, client, address, "-u", "-b", rate, "-n", "100K" if box.mode == "ring0" else "1M", *words)
                total = end["sum"]
                expect(total["packets"] > 20 and total["lost_percent"] < 20, True, f"{address} {words}: {total}")
