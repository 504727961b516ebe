# A server on a local socket, a thousand commands, a snapshot that a second server loads.
set -e
cd /tmp
start() {
  redis-server --port 0 --unixsocket /tmp/r.sock --daemonize yes --dir /tmp --logfile /tmp/r.log >/dev/null
  until redis-cli -s /tmp/r.sock ping >/dev/null 2>&1; do :; done
}
start
for i in $(seq 500); do echo "set k$i v$i"; echo "incr n"; done | redis-cli -s /tmp/r.sock | sort -n | uniq -c | tail -n 2
redis-cli -s /tmp/r.sock dbsize
redis-cli -s /tmp/r.sock save && redis-cli -s /tmp/r.sock shutdown nosave
while [ -e /tmp/r.sock ]; do :; done
start
redis-cli -s /tmp/r.sock get n && redis-cli -s /tmp/r.sock get k77 && redis-cli -s /tmp/r.sock shutdown nosave
