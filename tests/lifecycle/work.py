"""Real work in a Debian container: what Linux answers is what must come out."""

import subprocess

from harness import Failed, expect, expect_in
from terminal import ask, shell


def on_linux(line):
    return subprocess.run(["bash", "-c", line], check=True, stdout=subprocess.PIPE, text=True).stdout


def test_sort_pipeline(box):
    ended = box.run("seq 1 100000 | sort -R | sort -n | md5sum", limit=180)
    expect(ended.ok(), on_linux("seq 1 100000 | md5sum"))


def test_find(box):
    hidden = " ".join(f"-not -path './{name}/*'" for name in ("dev", "proc", "sys", "tmp"))
    expect(box.run("find / -xdev | wc -l", limit=180).ok(), on_linux(f"cd {box.rootfs} && find . -xdev {hidden} | wc -l"))


def test_tar(box):
    expect(box.run("tar c /usr 2>/dev/null | tar t | wc -l", limit=300).ok(),
           on_linux(f"cd {box.rootfs} && tar c usr | tar t | wc -l"))


def test_checksums(box):
    line = "find usr/bin usr/lib/python3* -type f | sort | xargs cat | md5sum"
    expect(box.run(f"cd / && {line}", limit=300).ok(), on_linux(f"cd {box.rootfs} && {line}"))


def test_gcc_and_make(box):
    script = r"""set -e; cd /tmp
        printf '#include <stdio.h>\nint twice(int);\nint main(void) { printf("%%d\\n", twice(21)); }\n' >main.c
        printf 'int twice(int n) { return 2 * n; }\n' >twice.c
        printf 'main: main.o twice.o\n\tgcc -o $@ $^\n%%.o: %%.c\n\tgcc -O2 -c $<\n' >Makefile
        make -s -j2; ./main; make -q && echo up to date"""
    expect(box.run(script, limit=180).ok(), "42\nup to date\n")


def python(box, script, limit=120):
    return box.run(["python3", "-c", script], limit=limit).ok()


def test_python_threads(box):
    script = """import threading, queue
q, out = queue.Queue(), queue.Queue()
def work():
    while (n := q.get()) is not None: out.put(n * n)
ts = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in ts]
[q.put(n) for n in range(2000)]
[q.put(None) for _ in ts]
[t.join() for t in ts]
print(sum(out.get() for _ in range(2000)))"""
    expect(python(box, script), f"{sum(n * n for n in range(2000))}\n")


def test_python_multiprocessing(box):
    script = """import multiprocessing as mp
def square(n): return n * n
with mp.Pool(4) as pool: print(sum(pool.map(square, range(1000), 10)))
counter = mp.Value("i", 0)
def add():
    for _ in range(500):
        with counter.get_lock(): counter.value += 1
ps = [mp.Process(target=add) for _ in range(4)]
[p.start() for p in ps]
[p.join() for p in ps]
print(counter.value, [p.exitcode for p in ps])"""
    expect(python(box, script), f"{sum(n * n for n in range(1000))}\n2000 [0, 0, 0, 0]\n")


def test_python_subprocess(box):
    script = """import subprocess
print(subprocess.run(["tr", "a-z", "A-Z"], input="loud", text=True, capture_output=True).stdout)
try: subprocess.run(["sleep", "60"], timeout=0.3)
except subprocess.TimeoutExpired: print("timeout")
print(subprocess.Popen(["sh", "-c", "kill -9 $$"]).wait())
print(len({subprocess.check_output(["sh", "-c", "echo $$"]) for _ in range(20)}))"""
    expect(python(box, script), "LOUD\ntimeout\n-9\n20\n")


def test_python_mmap(box):
    script = """import mmap, os
with open("/tmp/m", "w+b") as f:
    f.truncate(1 << 20)
    m = mmap.mmap(f.fileno(), 1 << 20)
    m[5000:5005] = b"hello"
    m.flush()
    f.seek(5000)
    print(f.read(5))
shared = mmap.mmap(-1, 4096)
if os.fork() == 0:
    shared[0:2] = b"hi"
    os._exit(0)
os.wait()
print(shared[0:2])
with open("/usr/bin/python3.11", "rb") as f:
    m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    print(m[:4], m[:] == f.read())"""
    expect(python(box, script), "b'hello'\nb'hi'\nb'\\x7fELF' True\n")


def test_ps(box):
    lines = box.run("sleep 100 & ps aux").ok().splitlines()
    expect(lines[0].split(), "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND".split())
    for part in ("sleep 100", "ps aux"):
        if not any(part in line for line in lines[1:]):
            raise Failed(f"no {part!r} in {lines}")


def test_top_and_free(box):
    expect_in("load average", box.run("top -b -n 1").ok())
    expect_in("Mem:", box.run("free -m").ok())


def test_perl(box):
    script = 'my %h = map { $_ => $_ ** 2 } 1 .. 1000; my $s = 0; $s += $_ for values %h; print "$s\\n"; print `echo sub`;'
    expect(box.run(["perl", "-e", script]).ok(), "333833500\nsub\n")


def test_busybox(box):
    expect(box.run("busybox seq 1 1000 | busybox awk '{s += $1} END {print s}'").ok(), "500500\n")


def test_go_program(box):
    expect_in("containerd", box.run(["containerd", "--version"]).ok())


def test_shell_under_load(box):
    """Many short processes, pipes and files at once."""
    script = """set -e; cd /tmp
        for i in $(seq 1 8); do (for j in $(seq 1 25); do echo $i $j | cat >f$i.$j; done) & done; wait
        cat f* | sort | uniq | wc -l"""
    expect(box.run(script, limit=180).ok(), "200\n")


def test_bash_on_a_terminal(box):
    terminal = shell(box)
    expect(ask(terminal, "for i in 1 2 3; do echo $i; done | sort -r | head -n 1"), "3")
    expect(ask(terminal, "python3 -c 'import os; print(os.isatty(0))'"), "True")
    terminal.send("exit\r")
    expect(terminal.wait(), 0)
