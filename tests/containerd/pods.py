"""A pod over the CRI, as Kubernetes has it."""

import json
import pathlib
import subprocess

from harness import IMAGE, Failed, expect, expect_in, wait_for

HERE = pathlib.Path(__file__).resolve().parent


def start_client(containerd, handler, part):
    stubs, folder = containerd.work / "stubs", containerd.work / f"pod-{handler}-{part}"
    stubs.mkdir(exist_ok=True)
    folder.mkdir()
    subprocess.run(["/usr/bin/python3", "-m", "grpc_tools.protoc", f"-I{HERE}", f"--python_out={stubs}", "cri.proto"], check=True)
    return subprocess.Popen(
        [*containerd.network, "/usr/bin/python3", "-B", HERE / "cri_client.py", containerd.address, stubs, IMAGE, folder,
         handler, part], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def life_of_a_pod(containerd, handler):
    client = start_client(containerd, handler, "life")
    try:
        ready = client.stdout.readline()
        shims = containerd.shims()
        out, err = client.communicate("\n", 120)
    finally:
        client.kill()
    if client.returncode != 0 or not ready:
        raise Failed(err[-3000:])
    expect(len(shims), 1, "shims while the pod runs")
    seen = json.loads(out)
    dmesg = seen.pop("dmesg")
    if containerd.is_ours:
        expect(dmesg, ["Starting gVisor...", "Ready!"], "dmesg")
    expect(seen, {
        "exec": ["in\n", "err\n", 7], "stream": ["got typed\n", "err\n", "Failure", ["5"]], "memory": True, "second": 3,
        "volume": "of second\n", "again": 4, "log": ["stdout F of second"], "third": [137, "OOMKilled"],
        "first": [True, ["stderr F err", "stdout F first"]]})
    wait_for(lambda: not containerd.shims(), "the shim is gone")


def test_pod_of_three_containers(containerd):
    life_of_a_pod(containerd, "runsc")


def test_pod_under_the_name_of_the_runtime_class(containerd):
    life_of_a_pod(containerd, "gvisor")


def test_pod_with_a_network(containerd):
    """Veth pairs of a CNI plugin: the pod's address answers the node, and what is in the pod."""
    containerd.add_network("10.88.0.0/16")
    client = start_client(containerd, "runsc", "network")
    try:
        out, err = client.communicate("", 120)
    finally:
        client.kill()
    if client.returncode != 0:
        raise Failed(err[-3000:])
    seen = json.loads(out)
    expect_in("10.88.0.", seen.pop("address"))
    text = "from the pod\n"
    expect(seen, {"outside": text, "inside": text, "loopback": text, "node": 0})
    wait_for(lambda: not containerd.shims(), "the shim is gone")
    expect(subprocess.run([*containerd.network, "ip", "-br", "link"], stdout=subprocess.PIPE, text=True, check=True).stdout.count("veth"),
           0, "what the plugin made")
