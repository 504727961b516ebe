"""A pod over the CRI, as Kubernetes has it."""

import json
import pathlib
import subprocess

from harness import IMAGE, Failed, expect, wait_for

HERE = pathlib.Path(__file__).resolve().parent


def test_pod_of_three_containers(containerd):
    stubs, logs = containerd.work / "stubs", containerd.work / "pod-logs"
    stubs.mkdir()
    logs.mkdir()
    subprocess.run(["/usr/bin/python3", "-m", "grpc_tools.protoc", f"-I{HERE}", f"--python_out={stubs}", "cri.proto"], check=True)
    client = subprocess.Popen(
        ["/usr/bin/python3", "-B", HERE / "cri_client.py", containerd.address, stubs, IMAGE, logs],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        ready = client.stdout.readline()
        shims = containerd.shims()
        out, err = client.communicate("\n", 120)
    finally:
        client.kill()
    if client.returncode != 0 or not ready:
        raise Failed(err[-3000:])
    expect(len(shims), 1, "shims while the pod runs")
    expect(json.loads(out), {"exec": ["in\n", "err\n", 7], "memory": True, "second": 3, "third": [137, "OOMKilled"],
                             "first": True})
    wait_for(lambda: not containerd.shims(), "the shim is gone")
