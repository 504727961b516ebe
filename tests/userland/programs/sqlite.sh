# 100,000 rows; WAL with two writers and a reader at once.
set -e
cd /tmp
sqlite3 a.db "create table t(i integer primary key, s text); with recursive n(i) as (select 1 union all select i+1 from n where i<100000) insert into t select i, hex(i*7919) from n; create index x on t(s); select count(*), min(s), max(s) from t; pragma integrity_check;"
sqlite3 w.db "pragma journal_mode=wal; create table t(w int, i int);"
writer() {
  for i in $(seq 100); do echo "pragma busy_timeout=60000; insert into t values($1,$i);"; done | sqlite3 w.db >/dev/null
}
writer 1 & writer 2 &
wait
sqlite3 w.db "select w, count(*), sum(i) from t group by w order by w; pragma wal_checkpoint(truncate); pragma integrity_check;"
