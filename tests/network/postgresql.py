"""PostgreSQL over TCP: initdb in the container, pgbench at the other end."""

from harness import expect
from place import INSIDE, INSIDE6, Place

SERVER = """set -e
p=$(echo /usr/lib/postgresql/*/bin)
mkdir /tmp/pg; chown postgres /tmp/pg; cd /tmp/pg
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
as "$p/initdb" -D data -A trust
printf 'host all all 0.0.0.0/0 trust\\nhost all all ::/0 trust\\n' >> data/pg_hba.conf
exec setpriv --reuid=postgres --regid=postgres --clear-groups "$p/postgres" -D data -c listen_addresses='*' -k /tmp/pg
"""


def test_pgbench(box):
    place = Place(box)
    place.contain()
    place.serve(place.box.manage("exec", place.name, "bash", "-c", SERVER))
    client = place.peer_command
    bench = ["bash", "-c", 'exec "$(echo /usr/lib/postgresql/*/bin/pgbench)" "$@"', "pgbench", "-U", "postgres", "-h"]

    def ask(address, question):
        return place.ask(client("psql", "-U", "postgres", "-h", address, "-qAtc", question, "postgres"))
    box.until(lambda: box.finish(client("psql", "-U", "postgres", "-h", INSIDE, "-c", "select 1", "postgres")).status == 0,
              "PostgreSQL", 120)
    place.ask(client(*bench, INSIDE, "-q", "-i", "-s", "1", "postgres"), 300)
    count = 5 if box.mode == "ring0" else 50
    for address, words in ((INSIDE, []), (INSIDE6, ["-M", "prepared"]), (INSIDE, ["-C"])):
        said = place.ask(client(*bench, address, "-c", "8", "-j", "2", "-t", str(count), "-n", *words, "postgres"), 300)
        expect(f"{8 * count}/{8 * count}" in said, True, said)
    sums = "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history), " \
           "(select sum(tbalance) from pgbench_tellers) = (select sum(bbalance) from pgbench_branches), " \
           "(select count(*) from pgbench_history)"
    expect(ask(INSIDE6, sums), f"t|t|{3 * 8 * count}\n")
    # A large answer and a large COPY.
    expect(len(ask(INSIDE, "select repeat('x', 3000000)")), 3000001)
    expect(place.ask(client("psql", "-U", "postgres", "-h", INSIDE, "-qAtc", "create table t(i int, s text)", "-c", "copy t from stdin",
                            "-c", "select count(*), sum(length(s)) from t", "postgres"),
                     stdin=b"".join(b"%d\t%s\n" % (i, b"y" * 100) for i in range(20000))), "20000|2000000\n")
