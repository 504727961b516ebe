"""Python's http.server and asyncio streams."""

import hashlib

from harness import expect
from marks import short
from place import Place

FETCH = """
import concurrent.futures, hashlib, http.client, sys
def fetch(n):
    c = http.client.HTTPConnection(sys.argv[1], 8000, timeout=100)
    c.request("GET", f"/{sys.argv[2]}")
    return hashlib.sha256(c.getresponse().read()).hexdigest()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(*sorted(set(pool.map(fetch, range(24)))))
"""


def test_http_server(box):
    place = Place(box)
    place.contain()
    data = bytes(i % 253 for i in range(500_000))
    for server, client, *addresses in place.sides():
        place.put(server, "/srv/http/file", data)
        place.serve(server("python3", "-m", "http.server", "8000", "--bind", "::", "--directory", "/srv/http"))
        for address in addresses:
            place.wait_for_port(client, address, 8000)
            expect(place.ask(client("python3", "-c", FETCH, address, "file")), hashlib.sha256(data).hexdigest() + "\n", address)


ECHO = """
import asyncio
async def echo(reader, writer):
    while data := await reader.read(30000):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
    writer.close()
async def main():
    server = await asyncio.start_server(echo, None, 8001, backlog=200)
    await server.serve_forever()
asyncio.run(main())
"""
SPEAK = """
import asyncio, random, sys
async def speak(n):
    chance = random.Random(n)
    reader, writer = await asyncio.open_connection(sys.argv[1], 8001)
    data = chance.randbytes(chance.randrange(1, 200000))
    async def send():
        at = 0
        while at < len(data):
            step = chance.choice((1, 100, 1460, 70000))
            writer.write(data[at:at + step])
            at += step
            await writer.drain()
        writer.write_eof()
    _, got = await asyncio.gather(send(), reader.read())
    writer.close()
    await writer.wait_closed()
    return got == data
async def main():
    print(all(await asyncio.gather(*(speak(n) for n in range(int(sys.argv[2]))))))
asyncio.run(main())
"""


@short
def test_asyncio_streams(box):
    place = Place(box)
    place.contain()
    for server, client, *addresses in place.sides():
        place.serve(server("python3", "-c", ECHO))
        for address in addresses:
            place.wait_for_port(client, address, 8001)
            expect(place.ask(client("python3", "-c", SPEAK, address, "20" if box.mode == "ring0" else "100"), 200), "True\n", address)
