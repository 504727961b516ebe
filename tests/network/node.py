"""A static server in node, and node as a client."""

import hashlib

from harness import expect
from place import Place

SERVER = """
const http = require('http'), fs = require('fs');
const server = http.createServer((q, a) => {
  if (q.method === 'PUT') { let n = 0; q.on('data', d => n += d.length); q.on('end', () => a.end(`${n}`)); return; }
  const file = fs.createReadStream('/srv/node' + q.url);
  file.on('error', () => { a.statusCode = 404; a.end('none'); });
  file.on('open', () => file.pipe(a));
});
server.keepAliveTimeout = 0;  // or one who is slow uses a connection that is just being closed
server.listen(8002, '::');
"""
CLIENT = """
const http = require('http'), crypto = require('crypto');
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const get = (path) => new Promise((good, bad) => {
  http.get({ host: process.argv[1], port: 8002, path, agent }, a => {
    const h = crypto.createHash('sha256');
    a.on('data', d => h.update(d)); a.on('end', () => good(a.statusCode + ' ' + h.digest('hex')));
  }).on('error', bad);
});
const put = (n) => new Promise((good, bad) => {
  const q = http.request({ host: process.argv[1], port: 8002, path: '/', method: 'PUT', agent }, a => {
    a.setEncoding('utf8'); let s = ''; a.on('data', d => s += d); a.on('end', () => good(s));
  });
  q.on('error', bad);
  for (let i = 0; i < n; i++) q.write(Buffer.alloc(65536));
  q.end();
});
(async () => {
  const all = await Promise.all([...Array(40)].map((_, i) => get(i % 2 ? '/file' : '/none')));
  console.log([...new Set(all)].sort().join('\\n'));
  console.log(await put(20));
  agent.destroy();
})();
"""


def test_static_server(box):
    place = Place(box)
    place.contain()
    data = bytes(i % 247 for i in range(700_000))
    wanted = f"200 {hashlib.sha256(data).hexdigest()}\n404 {hashlib.sha256(b'none').hexdigest()}\n{20 * 65536}\n"
    for server, client, *addresses in place.sides():
        place.put(server, "/srv/node/file", data)
        place.serve(server("node", "-e", SERVER))
        for address in addresses:
            place.wait_for_port(client, address, 8002)
            expect(place.ask(client("node", "-e", CLIENT, address), 200), wanted, address)
