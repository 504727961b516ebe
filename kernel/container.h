// The container that the host wants run: its description (kvm/hostcall/container_spec.h), read.
#pragma once

#include <span>

#include "fs/credentials.h"
#include "kernel/base/string.h"
#include "kernel/base/vec.h"
#include "kernel/rlimit.h"
#include "kernel/seccomp/bpf.h"
#include "kvm/hostcall/container_spec.h"
#include "kvm/hostcall/frame.h"

namespace runsc::kernel {

struct ProcessSpec {
  Vec<String> argv, envp;
  String cwd;
  Ref<fs::Credentials> creds;
  uint32_t umask = 022;
  struct LimitEntry {
    uint32_t resource;
    Limit limit;
  };
  Vec<LimitEntry> limits;
  bool terminal = false;
  uint32_t rows = 0, columns = 0;
  hostcall::Handle stdio[3] = {hostcall::kNoHandle, hostcall::kNoHandle, hostcall::kNoHandle};
  Vec<hostcall::Handle> more;  // what it has open from 3 on
  hostcall::ProcessAttributes attributes;
  Vec<BpfInstruction> filter;  // of the container; empty: none
};

struct ContainerSpec {
  String hostname, domainname;
  bool wait_for_start = false;
  hostcall::Limits limits;
  ProcessSpec process;
  struct Sysctl {
    String name, value;  // "net/core/somaxconn"
  };
  Vec<Sysctl> sysctls;
  String network;  // hostcall/network_spec.h
};

// Reads up to the root and the mounts, which fs reads on: `reader` then stands there. EINVAL, ENOMEM.
Result<ContainerSpec> read_container(hostcall::ContainerReader& reader);
// What joins a container. EINVAL, ENOMEM.
Result<ProcessSpec> read_joining_process(hostcall::ContainerReader& reader);

}  // namespace runsc::kernel
