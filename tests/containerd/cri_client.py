#!/usr/bin/python3
"""cri_client.py SOCKET STUBS IMAGE FOLDER HANDLER PART: a pod over containerd's CRI, as kubelet has it. PART life: three
containers from their start to their end; network: one that serves the pod's address. FOLDER is for logs and a volume.

Prints one JSON object of what was seen. For Debian's own python3: gRPC and websocket are packages of its."""

import json
import os
import pathlib
import sys
import time
import urllib.request

import grpc
import websocket

socket, stubs, image, folder, handler, part = sys.argv[1:]
sys.path.insert(0, stubs)
import cri_pb2 as cri  # noqa: E402

channel = grpc.insecure_channel("unix://" + socket)
RUNNING, EXITED = 1, 2
STDIN, STDOUT, STDERR, OUTCOME = range(4)  # channels of v4.channel.k8s.io
volume = pathlib.Path(folder, "volume")


def call(method, request, answer=cri.Name):
    function = channel.unary_unary("/runtime.v1.RuntimeService/" + method, type(request).SerializeToString, answer.FromString)
    return function(request, timeout=60)


def status(container):
    return call("ContainerStatus", cri.Name(id=container), cri.ContainerStatusResponse).status


def wait_for_end(container):
    end = time.monotonic() + 60
    while status(container).state != EXITED:
        if time.monotonic() > end:
            sys.exit(f"{container} goes on")
    return status(container)


namespaces = cri.NamespaceOption(network=cri.POD if part == "network" else cri.NODE, pid=cri.CONTAINER, ipc=cri.POD)
pod_config = cri.PodSandboxConfig(
    metadata=cri.PodSandboxMetadata(name=part, uid=f"uid-{os.getpid()}", namespace="default"), log_directory=folder,
    linux=cri.LinuxPodSandboxConfig(
        cgroup_parent="/runsc-cri-test", security_context=cri.LinuxSandboxSecurityContext(namespace_options=namespaces)))


def create(pod, name, *command, memory=0, attempt=0):
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=name, attempt=attempt), image=cri.ImageSpec(image=image), command=command,
        mounts=[cri.Mount(container_path="/shared", host_path=str(volume))], log_path=f"{name}.{attempt}.log",
        linux=cri.LinuxContainerConfig(
            resources=cri.LinuxContainerResources(memory_limit_in_bytes=memory),
            security_context=cri.LinuxContainerSecurityContext(namespace_options=namespaces)))
    container = call("CreateContainer", cri.CreateContainerRequest(
        pod_sandbox_id=pod, config=config, sandbox_config=pod_config)).id
    call("StartContainer", cri.Name(id=container))
    return container


def remove(container):
    call("StopContainer", cri.StopContainerRequest(container_id=container, timeout=1))
    call("RemoveContainer", cri.Name(id=container))


def exec_sync(container, *command):
    done = call("ExecSync", cri.ExecSyncRequest(container_id=container, cmd=command, timeout=30), cri.ExecSyncResponse)
    return [done.stdout.decode(), done.stderr.decode(), done.exit_code]


def exec_stream(container, line, typed):
    """What `kubectl exec -i` does: output, errors, and how it ended."""
    url = call("Exec", cri.ExecRequest(container_id=container, cmd=["/bin/sh", "-c", line], stdin=True, stdout=True,
                                       stderr=True), cri.ExecResponse).url
    stream = websocket.create_connection(url.replace("http://", "ws://"), subprotocols=["v4.channel.k8s.io"], timeout=60)
    stream.send_binary(bytes([STDIN]) + typed.encode())
    parts = {STDOUT: "", STDERR: "", OUTCOME: ""}
    while not parts[OUTCOME]:
        frame = stream.recv()
        parts[frame[0]] += frame[1:].decode()
    stream.close()
    outcome = json.loads(parts[OUTCOME])
    causes = outcome.get("details", {}).get("causes", [])
    return [parts[STDOUT], parts[STDERR], outcome["status"], [cause["message"] for cause in causes]]


def log_of(name):
    """Without the times."""
    return [line.split(" ", 1)[1] for line in pathlib.Path(folder, name).read_text().splitlines()]


def network():
    """The pod has an address of the plugin's; its containers share it."""
    (volume / "index.html").write_text("from the pod\n")
    pod = call("RunPodSandbox", cri.RunPodSandboxRequest(config=pod_config, runtime_handler=handler)).id
    address = call("PodSandboxStatus", cri.Name(id=pod), cri.PodSandboxStatusResponse).status.network.ip
    server = create(pod, "server", "/bin/sh", "-c", "httpd -p 80 -h /shared && echo ready && exec sleep 1000")
    while log_of("server.0.log") != ["stdout F ready"]:
        time.sleep(0.05)
    other = create(pod, "other", "/bin/sleep", "1000")
    seen = {"address": address, "outside": urllib.request.urlopen(f"http://{address}/", timeout=30).read().decode(),
            "inside": exec_sync(other, "wget", "-q", "-O", "-", f"http://{address}/")[0],
            "loopback": exec_sync(other, "wget", "-q", "-O", "-", "http://127.0.0.1/")[0],
            "node": exec_sync(other, "ping", "-c", "1", "-W", "20", "10.88.0.1")[2]}
    for container in (server, other):
        remove(container)
    call("StopPodSandbox", cri.Name(id=pod))
    call("RemovePodSandbox", cri.Name(id=pod))
    print(json.dumps(seen), flush=True)


def life():
    seen = {}
    pod = call("RunPodSandbox", cri.RunPodSandboxRequest(config=pod_config, runtime_handler=handler)).id
    first = create(pod, "first", "/bin/sh", "-c", "echo first; echo err >&2; exec sleep 1000")
    second = create(pod, "second", "/bin/sh", "-c", "echo of second > /shared/file; exit 3")
    seen["exec"] = exec_sync(first, "/bin/sh", "-c", "echo in; echo err >&2; exit 7")
    seen["stream"] = exec_stream(first, "read word; echo got $word; echo err >&2; exit 5", "typed\n")
    messages = exec_sync(first, "dmesg")[0].splitlines()
    seen["dmesg"] = [messages[0].split("] ")[-1], messages[-1].split("] ")[-1]] if messages else []
    stats = call("ContainerStats", cri.Name(id=first), cri.ContainerStatsResponse).stats
    seen["memory"] = stats.memory.working_set_bytes.value > 0
    seen["second"] = wait_for_end(second).exit_code
    seen["volume"] = exec_sync(first, "cat", "/shared/file")[0]
    remove(second)
    again = create(pod, "second", "/bin/sh", "-c", "cat /shared/file; exit 4", attempt=1)
    seen["again"] = wait_for_end(again).exit_code
    seen["log"] = log_of("second.1.log")
    third = create(pod, "third", "/bin/sh", "-c", "x=a; while :; do x=$x$x; done", memory=32 << 20)
    ended = wait_for_end(third)
    seen["third"] = [ended.exit_code, ended.reason]
    seen["first"] = [status(first).state == RUNNING, sorted(log_of("first.0.log"))]
    print(json.dumps({"alive": True}), flush=True)
    sys.stdin.readline()
    for container in (first, again, third):
        remove(container)
    call("StopPodSandbox", cri.Name(id=pod))
    call("RemovePodSandbox", cri.Name(id=pod))
    print(json.dumps(seen), flush=True)


volume.mkdir(exist_ok=True)
{"life": life, "network": network}[part]()
