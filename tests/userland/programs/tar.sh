# 20,000 files packed, unpacked and compared.
set -e
mkdir /tmp/a && cd /tmp/a
for d in $(seq 200); do
  mkdir d$d
  for f in $(seq 100); do printf '%s\n' "$d/$f" >d$d/f$f; done
done
ln d1/f1 hard && ln -s d1/f2 soft && chmod 640 d2/f3 && mkfifo pipe
tar -c --sort=name --mtime=@0 . >/tmp/a.tar && md5sum </tmp/a.tar
mkdir /tmp/b && tar -x -f /tmp/a.tar -C /tmp/b && diff -r --no-dereference -x pipe /tmp/a /tmp/b && echo same
find /tmp/b | wc -l
tar -c --sort=name --mtime=@0 -C /tmp/b . | md5sum
cd / && rm -r /tmp/a /tmp/b && ls /tmp
