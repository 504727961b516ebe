"""TCP and UDP over a cable that loses, delays and reorders."""

from cable import transfer
from harness import expect
from iperf import measure, servers, tcp
from place import Place


def over(box, *mangle):
    place = Place(box, mangle)
    place.contain()
    scale = 8 if box.mode == "ring0" else 1
    transfer(box, place, place.name, (4 << 20) // scale)
    for client, addresses in servers(place):
        for address in addresses:
            for words in ([], ["-R"], ["-P", "4"]):
                tcp(client, address, (2 << 20) // scale, *words)
        total = measure(client, addresses[0], "-u", "-b", "2M", "-n", "400K")["sum"]
        loss = float(dict(word.split("=") for word in mangle).get("loss", 0))
        expect(total["lost_percent"] < 2 * loss + 10, True, f"{total}")


def test_delay(box):
    over(box, "delay=5")


def test_loss(box):
    over(box, "loss=1", "delay=2")


def test_much_loss(box):
    over(box, "loss=5", "delay=2")


def test_reordering(box):
    over(box, "delay=4", "reorder=5")


def test_all_at_once(box):
    over(box, "loss=2", "delay=10", "reorder=3")


def test_loss_without_delay(box):
    over(box, "loss=0.5")
