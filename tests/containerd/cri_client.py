#!/usr/bin/python3
"""cri_client.py SOCKET STUBS IMAGE LOGS: a pod of three containers through its life, over containerd's CRI.

Prints one JSON object of what was seen. For Debian's own python3: gRPC is a package of its."""

import json
import os
import sys

import grpc

socket, stubs, image, logs = sys.argv[1:]
sys.path.insert(0, stubs)
import cri_pb2 as cri  # noqa: E402

channel = grpc.insecure_channel("unix://" + socket)
RUNNING, EXITED = 1, 2


def call(method, request, answer=cri.Name):
    function = channel.unary_unary("/runtime.v1.RuntimeService/" + method, type(request).SerializeToString, answer.FromString)
    return function(request, timeout=60)


def status(container):
    return call("ContainerStatus", cri.Name(id=container), cri.ContainerStatusResponse).status


# The host's network: no network plugin is needed.
namespaces = cri.NamespaceOption(network=cri.NODE, pid=cri.CONTAINER, ipc=cri.POD)
pod_config = cri.PodSandboxConfig(
    metadata=cri.PodSandboxMetadata(name="pod", uid=f"uid-{os.getpid()}", namespace="default"), log_directory=logs,
    linux=cri.LinuxPodSandboxConfig(
        cgroup_parent="/runsc-cri-test", security_context=cri.LinuxSandboxSecurityContext(namespace_options=namespaces)))


def create(pod, name, *command, memory=0):
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=name), image=cri.ImageSpec(image=image), command=command, log_path=name + ".log",
        linux=cri.LinuxContainerConfig(
            resources=cri.LinuxContainerResources(memory_limit_in_bytes=memory),
            security_context=cri.LinuxContainerSecurityContext(namespace_options=namespaces)))
    container = call("CreateContainer", cri.CreateContainerRequest(
        pod_sandbox_id=pod, config=config, sandbox_config=pod_config)).id
    call("StartContainer", cri.Name(id=container))
    return container


def main():
    seen = {}
    pod = call("RunPodSandbox", cri.RunPodSandboxRequest(config=pod_config, runtime_handler="runsc")).id
    first = create(pod, "first", "/bin/sh", "-c", "echo first; exec sleep 1000")
    second = create(pod, "second", "/bin/sh", "-c", "echo second; exit 3")
    done = call("ExecSync", cri.ExecSyncRequest(container_id=first, cmd=["/bin/sh", "-c", "echo in; echo err >&2; exit 7"],
                                                timeout=30), cri.ExecSyncResponse)
    seen["exec"] = [done.stdout.decode(), done.stderr.decode(), done.exit_code]
    stats = call("ContainerStats", cri.Name(id=first), cri.ContainerStatsResponse).stats
    seen["memory"] = stats.memory.working_set_bytes.value > 0
    while status(second).state != EXITED:
        pass
    seen["second"] = status(second).exit_code
    third = create(pod, "third", "/bin/sh", "-c", "x=a; while :; do x=$x$x; done", memory=32 << 20)
    while status(third).state != EXITED:
        pass
    seen["third"] = [status(third).exit_code, status(third).reason]
    seen["first"] = status(first).state == RUNNING
    print(json.dumps({"alive": True}), flush=True)
    sys.stdin.readline()
    for container in (first, second, third):
        call("StopContainer", cri.StopContainerRequest(container_id=container, timeout=1))
        call("RemoveContainer", cri.Name(id=container))
    call("StopPodSandbox", cri.Name(id=pod))
    call("RemovePodSandbox", cri.Name(id=pod))
    print(json.dumps(seen), flush=True)


main()
