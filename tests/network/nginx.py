"""nginx, and what fetches from it."""

import hashlib

from harness import expect, expect_in
from marks import short
from place import Place

CONFIG = """
worker_processes 2;
error_log stderr;
pid /tmp/nginx.pid;
daemon off;
events { worker_connections 512; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_max_body_size 100m;
  server {
    listen 80 reuseport backlog=511;
    listen [::]:80 ipv6only=on reuseport;
    root /srv;
    location /put/ { proxy_pass http://127.0.0.1:81/; }
  }
}
"""


def data(size):
    block = hashlib.sha256(b"nginx").digest() * 2048
    return (block * (size // len(block) + 1))[:size]


def serve(place, command, sizes):
    for size in sizes:
        place.put(command, f"/srv/{size}", data(size))
    place.put(command, "/tmp/nginx.conf", CONFIG.encode())
    place.serve(command("nginx", "-c", "/tmp/nginx.conf"))


def both(box, sizes):
    place = Place(box)
    place.contain()
    for server, client, *addresses in place.sides():
        serve(place, server, sizes)
        for address in addresses:
            place.wait_for_port(client, address, 80)
            yield place, client, f"[{address}]" if ":" in address else address


@short
def test_curl(box):
    sizes = (0, 100, 1 << 20, (2 if box.mode == "ring0" else 30) << 20)
    for place, client, host in both(box, sizes):
        for size in sizes:
            sums = place.ask(client("bash", "-c", f"set -o pipefail; curl -gsSf http://{host}/{size} | sha256sum"))
            expect(sums.split()[0], hashlib.sha256(data(size)).hexdigest(), f"{host} {size}")
        # Twenty over one connection, six at once, a part, what is not there.
        urls = [f"http://{host}/100"] * 20
        said = place.ask(client("curl", "-gsSfv", "-o/dev/null", *[w for url in urls for w in (url, "-o/dev/null")][:-1], "--stderr", "-"))
        expect(said.count("Connected to"), 1, "connections")
        expect(said.count("HTTP/1.1 200"), 20, "answers")
        said = place.ask(client("curl", "-gsSfZ", "--parallel-max", "6", "-w", "%{http_code} %{size_download}\n",
                                *[w for n in range(12) for w in (f"http://{host}/{1 << 20}", "-o/dev/null")]))
        expect(said, f"200 {1 << 20}\n" * 12)
        said = place.ask(client("bash", "-c", f"set -o pipefail; curl -gsSf -r 1000-1999 http://{host}/{1 << 20} | sha256sum"))
        expect(said.split()[0], hashlib.sha256(data(1 << 20)[1000:2000]).hexdigest(), "a part")
        said = place.ask(client("curl", "-gsS", "-o/dev/null", "-w", "%{http_code}", f"http://{host}/none"))
        expect(said, "404")


def test_wrk(box):
    """Many connections at once, small and large files; wrk counts what went wrong."""
    for place, client, host in both(box, (100, 1 << 20)):
        for size in (100, 1 << 20):
            said = place.ask(client("wrk", "-t", "2", "-c", "32", "-d", "1" if box.mode != "ring0" else "5", "--timeout", "60",
                                    f"http://{host}/{size}"))
            expect("Socket errors" in said or "Non-2xx" in said, False, said)
            expect_in("requests in", said)
            expect(" 0 requests in" in said, False, said)
            # Each request with a connection of its own.
        said = place.ask(client("wrk", "-t", "2", "-c", "8", "-d", "1" if box.mode != "ring0" else "5", "--timeout", "60",
                                "-H", "Connection: close", f"http://{host}/100"))
        expect("Non-2xx" in said or "timeout 0" not in said and "timeout" in said, False, said)
