"""What people do with containers, with either engine."""

import time

from engines import Terminal, expect, expect_in, processes_with, wait_for


def test_run(engine):
    expect(engine.run("echo", "from inside").ok(), "from inside\n")
    expect(engine.run("sh", "-c", "exit 7").status, 7)
    expect(engine.run("cat", flags=["-i"], stdin=b"through\n").ok(), "through\n")
    expect(engine.run("no-such-program").status, 127)
    # It is ours, not the host's kernel.
    expect_in("Starting gVisor", engine.run("dmesg").ok())


def test_host_network(engine):
    host = [word for word in engine.common if word not in ("--network", "none")]
    expect(engine.ask("run", "--rm", *host, "--network", "host", "local.test/busybox:1", "echo", "host").ok(), "host\n")


def test_bridge(engine):
    """The network that containers have by default; a hook of Docker's makes it."""
    if engine.name != "docker":
        return
    image = "local.test/busybox:1"
    name = "bridged"
    engine.ask("run", "--detach", "--name", name, "--hostname", "boxed", image, "sh", "-c",
               "mkdir /tmp/www; echo page > /tmp/www/page; exec httpd -f -p 8080 -h /tmp/www").ok()
    address = engine.inspect(name, ".NetworkSettings.IPAddress")
    expect_in(f"inet {address}/", engine.ask("exec", name, "ip", "addr").ok())
    expect_in(f"default via {engine.gateway}", engine.ask("exec", name, "ip", "route").ok())
    expect_in(f"{address}\tboxed", engine.ask("exec", name, "cat", "/etc/hosts").ok())
    expect_in("2 packets received", engine.ask("exec", name, "ping", "-c", "2", "-W", "5", engine.gateway).ok())
    fetch = f"import urllib.request; print(urllib.request.urlopen('http://{address}:8080/page', timeout=30).read())"
    expect(engine.beside("/usr/bin/python3", "-c", fetch).ok(), "b'page\\n'\n")
    # Two containers, by the bridge; and one that starts again.
    out = engine.ask("run", "--rm", image, "wget", "-q", "-O", "-", f"http://{address}:8080/page").ok()
    expect(out, "page\n")
    engine.ask("restart", "--time", "0", name).ok()
    address = engine.inspect(name, ".NetworkSettings.IPAddress")
    expect_in("2 packets received", engine.ask("exec", name, "ping", "-c", "2", "-W", "5", engine.gateway).ok())
    engine.remove(name)


def test_terminal(engine):
    terminal = Terminal(engine, "run", "--rm", "-it", *engine.common, "local.test/busybox:1", "sh")
    terminal.send("tty; echo sum $((40 + 2))\n")
    terminal.wait_for("/dev/")
    terminal.wait_for("sum 42")
    terminal.send("exit 5\n")
    expect(terminal.end(), 5)


def test_exec(engine):
    name = engine.detached("sleep", "1000")
    expect(engine.ask("exec", name, "sh", "-c", "echo joined; exit 3").out, "joined\n")
    expect(engine.ask("exec", name, "sh", "-c", "exit 3").status, 3)
    expect(engine.ask("exec", "--user", "1000", "--env", "A=b", "--workdir", "/tmp", name, "sh", "-c",
                      "echo $(id -u) $A $PWD").ok(), "1000 b /tmp\n")
    expect(engine.ask("exec", "-i", name, "cat", stdin=b"in\n").ok(), "in\n")
    terminal = Terminal(engine, "exec", "-it", name, "sh")
    terminal.send("echo pid $$; exit 4\n")
    terminal.wait_for("pid ")
    expect(terminal.end(), 4)
    engine.remove(name)


def test_stop_and_logs(engine):
    name = engine.detached("sh", "-c", "trap 'echo bye; exit 6' TERM; echo up; while :; do sleep 0.1; done")
    wait_for(lambda: engine.ask("logs", name).out == "up\n", "the first line of the log")
    engine.ask("stop", "--time", "20", name).ok()
    expect(engine.ask("logs", name).out, "up\nbye\n")
    expect(engine.inspect(name, ".State.ExitCode"), "6")
    expect(engine.inspect(name, ".State.Running"), "false")
    engine.ask("start", name).ok()
    expect(engine.inspect(name, ".State.Running"), "true")
    engine.remove(name)


def test_kill(engine):
    name = engine.detached("sh", "-c", "trap 'echo usr1' USR1; echo up; while :; do sleep 0.1; done")
    wait_for(lambda: "up" in engine.ask("logs", name).out, "the trap is set")
    engine.ask("kill", "--signal", "USR1", name).ok()
    wait_for(lambda: "usr1" in engine.ask("logs", name).out, "the signal")
    engine.ask("kill", name).ok()
    expect(engine.ask("wait", name).ok(), "137\n")
    engine.remove(name)


def test_top(engine):
    name = engine.detached("sleep", "1000")
    # podman's own way enters the namespaces of a process on the host; with options for ps(1) it runs that inside.
    words = ("top", name, "-o", "pid,comm") if engine.name == "podman" else ("top", name)
    shown = engine.ask(*words).ok()
    expect(len(shown.splitlines()) >= 2, True, f"lines of top: {shown!r}")
    engine.remove(name)


def test_copies(engine):
    (engine.work / "given").write_text("from the host\n")
    name = f"copies-{time.monotonic_ns()}"
    engine.ask("create", "--name", name, *engine.common, "local.test/busybox:1", "cat", "/tmp/given").ok()
    engine.ask("cp", str(engine.work / "given"), f"{name}:/tmp/given").ok()
    expect(engine.ask("start", "--attach", name).ok(), "from the host\n")
    engine.ask("cp", f"{name}:/etc/message", str(engine.work / "message")).ok()
    expect((engine.work / "message").read_text(), "of the image\n")
    engine.remove(name)


def test_pause(engine):
    name = engine.detached("sh", "-c", "while :; do echo x; sleep 0.05; done")
    wait_for(lambda: engine.ask("logs", name).out, "output")
    engine.ask("pause", name).ok()
    expect(engine.inspect(name, ".State.Status"), "paused")
    engine.ask("unpause", name).ok()
    before = len(engine.ask("logs", name).out)
    wait_for(lambda: len(engine.ask("logs", name).out) > before, "output after the pause")
    engine.remove(name)


def test_limits(engine):
    limits = ["--memory", "64m", "--cpus", "0.5", "--pids-limit", "50"]
    expect(engine.run("echo", "limited", flags=limits).ok(), "limited\n")
    name = engine.detached("sleep", "1000", flags=["--memory", "128m"])
    engine.ask("update", "--memory", "96m", *(["--memory-swap", "96m"] if engine.name == "docker" else []), name)
    expect(engine.ask("exec", name, "echo", "still here").ok(), "still here\n")
    engine.remove(name)


def test_read_only(engine):
    shown = engine.run("sh", "-c", "touch /new 2>&1; touch /tmp/new && echo tmp", flags=["--read-only", "--tmpfs", "/tmp"])
    expect_in("Read-only file system", shown.out)
    expect_in("tmp\n", shown.out)


def test_tmpfs(engine):
    shown = engine.run("sh", "-c", "grep ' /scratch ' /proc/mounts; touch /scratch/file && echo written",
                       flags=["--tmpfs", "/scratch:size=1m"]).ok()
    expect_in("tmpfs", shown)
    expect_in("written", shown)


def test_volumes(engine):
    volume = engine.work / "volume"
    volume.mkdir(exist_ok=True)
    (volume / "in").write_text("of the host\n")
    expect(engine.run("sh", "-c", "cat /vol/in; echo inside > /vol/out", flags=["-v", f"{volume}:/vol"]).ok(), "of the host\n")
    expect((volume / "out").read_text(), "inside\n")
    shown = engine.run("sh", "-c", "echo x > /vol/no", flags=["-v", f"{volume}:/vol:ro"])
    expect(shown.status != 0, True)
    expect((volume / "no").exists(), False)


def test_user_and_capabilities(engine):
    expect(engine.run("id", flags=["--user", "1000:1000"]).ok(), "uid=1000(user) gid=1000(user) groups=1000(user)\n")
    expect(engine.run("chown", "1000", "/tmp").status, 0)
    expect(engine.run("chown", "1000", "/tmp", flags=["--cap-drop", "ALL"]).status, 1)
    expect_in("CapEff:\t0000000000000000", engine.run("cat", "/proc/self/status", flags=["--cap-drop", "ALL"]).ok())


def test_init(engine):
    shown = engine.run("sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; echo; echo $$", flags=["--init"]).ok()
    expect_in("init", shown.splitlines()[0])
    expect(shown.splitlines()[1] != "1", True)


def test_nothing_is_left(engine):
    name = engine.detached("sleep", "1000")
    number = engine.inspect(name, ".Id")
    expect(len(processes_with(number)) >= 2, True, "processes of a container")
    engine.remove(name)
    wait_for(lambda: not processes_with(number), "the end of all processes")
