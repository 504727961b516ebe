# initdb, a server on a local socket, clients at once, an orderly end.
set -e
p=$(echo /usr/lib/postgresql/*/bin)
mkdir /tmp/pg && chown postgres /tmp/pg && cd /tmp/pg
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
as "$p/initdb" -D data -A trust >init.log
as "$p/pg_ctl" -D data -o "-c listen_addresses= -k /tmp/pg" -w -l /tmp/pg/log start >start.log || { cat log; exit 1; }
q() { as psql -h /tmp/pg -qAt -c "$1" postgres; }
q "create table t(i int primary key, s text)"
q "insert into t select g, md5(g::text) from generate_series(1, 20000) g"
q "create index on t(s)"
q "select count(*), min(s), max(s) from t"
for i in 1 2 3 4; do q "update t set s = s || '$i' where i % 4 = $i - 1" & done
wait
q "select md5(string_agg(s, ',' order by i)) from t"
q "vacuum analyze t"
as pg_dump -h /tmp/pg postgres | grep -c .
as "$p/pg_ctl" -D data -m fast stop >stop.log && grep -c "database system is shut down" log
