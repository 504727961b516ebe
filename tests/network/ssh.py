"""OpenSSH, into a container and out of it."""

import hashlib

from harness import expect
from place import Place

SERVER = """set -e
mkdir -p /run/sshd /root/.ssh /tmp/keys
ssh-keygen -q -t ed25519 -N '' -f /tmp/keys/host
cat > /root/.ssh/authorized_keys; chmod 700 /root/.ssh; chmod 600 /root/.ssh/authorized_keys; chown -R 0:0 /root
exec /usr/sbin/sshd -D -e -f /dev/null -h /tmp/keys/host -p 2222 -o UsePAM=no -o PidFile=none -o StrictModes=no -o Subsystem='sftp internal-sftp'
"""
OPTIONS = ["-q", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
           "-i", "/tmp/keys/user"]


def test_ssh(box):
    place = Place(box)
    place.contain()
    for server, client, *addresses in place.sides():
        place.ask(client("sh", "-c", "mkdir -p /tmp/keys; ssh-keygen -q -t ed25519 -N '' -f /tmp/keys/user"))
        key = place.ask(client("cat", "/tmp/keys/user.pub"))
        daemon = box.start(server("sh", "-c", SERVER), stdin=-1, stdout=open(box.work / "server.log", "ab"), stderr=-2)
        daemon.stdin.write(key.encode())
        daemon.stdin.close()
        for address in addresses:
            place.wait_for_port(client, address, 2222)
            at = [*OPTIONS, "-p", "2222", "root@" + address]
            expect(place.ask(client("ssh", *at, "echo $((6 * 7)); id -un; exit 0")), "42\nroot\n")
            expect(box.finish(client("ssh", *at, "exit 7")).status, 7)
            expect(place.ask(client("ssh", *at, "tr a-z A-Z"), stdin=b"some text\n"), "SOME TEXT\n")
            # A terminal: its size was set, and ^C reaches the foreground.
            said = place.ask(client("script", "-qec", " ".join(["stty rows 33 cols 77; ssh -tt", *at, "'tty; stty size'"]), "/dev/null"))
            expect(said.replace("\r", "").splitlines()[1:], ["33 77"], said)
            size = (1 if box.mode == "ring0" else 10) << 20
            place.ask(client("sh", "-c", f"yes 0123456789abcdef | head -c {size} > /tmp/sent"), 60)
            target = f"root@[{address}]" if ":" in address else "root@" + address
            place.ask(client("scp", *OPTIONS, "-P", "2222", "/tmp/sent", target + ":/tmp/there"), 200)
            place.ask(client("scp", *OPTIONS, "-P", "2222", target + ":/tmp/there", "/tmp/back"), 200)
            wanted = (b"0123456789abcdef\n" * (size // 17 + 1))[:size]
            expect(place.ask(client("sha256sum", "/tmp/back")).split()[0], hashlib.sha256(wanted).hexdigest())


def test_port_forwarding(box):
    """Connections carried by ssh, both ways."""
    place = Place(box)
    place.contain()
    (server, client, address, _), *_ = place.sides()
    place.ask(client("sh", "-c", "mkdir -p /tmp/keys; ssh-keygen -q -t ed25519 -N '' -f /tmp/keys/user"))
    key = place.ask(client("cat", "/tmp/keys/user.pub"))
    daemon = box.start(server("sh", "-c", SERVER), stdin=-1, stdout=open(box.work / "server.log", "ab"), stderr=-2)
    daemon.stdin.write(key.encode())
    daemon.stdin.close()
    place.wait_for_port(client, address, 2222)
    for side in (server, client):
        place.put(side, "/srv/name", b"inside\n" if side is server else b"outside\n")
        place.serve(side("python3", "-m", "http.server", "8000", "--bind", "127.0.0.1", "--directory", "/srv"))
        place.wait_for_port(side, "127.0.0.1", 8000)
    place.serve(client("ssh", *OPTIONS, "-N", "-p", "2222", "-L", "9000:127.0.0.1:8000", "-R", "9001:127.0.0.1:8000", "root@" + address))
    for side, port, wanted in ((client, 9000, "inside\n"), (server, 9001, "outside\n")):
        place.wait_for_port(side, "127.0.0.1", port)
        for _ in range(5):
            expect(place.ask(side("curl", "-sSf", f"http://127.0.0.1:{port}/name")), wanted)
