#include "oci/sandbox/host_namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <string>

#include "oci/host/unique_fd.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

namespace runsc::oci {
namespace {

// 0: not one of the sandbox process.
int flag_of(NamespaceKind kind) {
  switch (kind) {
    case NamespaceKind::network:
      return CLONE_NEWNET;
    case NamespaceKind::ipc:
      return CLONE_NEWIPC;
    case NamespaceKind::uts:
      return CLONE_NEWUTS;
    default:
      return 0;
  }
}

int type_of(NamespaceKind kind) {
  switch (kind) {
    case NamespaceKind::pid:
      return CLONE_NEWPID;
    case NamespaceKind::mount:
      return CLONE_NEWNS;
    case NamespaceKind::user:
      return CLONE_NEWUSER;
    case NamespaceKind::cgroup:
      return CLONE_NEWCGROUP;
    case NamespaceKind::time:
      return CLONE_NEWTIME;
    default:
      return flag_of(kind);
  }
}

}  // namespace

Expected<void> check_namespace_paths(const Spec& spec) {
  for (size_t i = 0; i < spec.linux_.namespaces.size(); ++i) {
    const Namespace& ns = spec.linux_.namespaces[i];
    if (ns.path.empty()) continue;
    const std::string field = "config.json: linux.namespaces[" + std::to_string(i) + "].path: " + ns.path;
    const UniqueFd fd(::open(ns.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd) return fail_errno(field);
    if (::ioctl(fd.get(), NS_GET_NSTYPE) != type_of(ns.kind))
      return fail(field + ": is no namespace of this type");
  }
  return {};
}

Expected<void> enter_namespaces(const Spec& spec) {
  int fresh = 0;
  for (size_t i = 0; i < spec.linux_.namespaces.size(); ++i) {
    const Namespace& ns = spec.linux_.namespaces[i];
    const int flag = flag_of(ns.kind);
    if (flag == 0) continue;
    if (ns.path.empty()) {
      fresh |= flag;
      continue;
    }
    const std::string field = "config.json: linux.namespaces[" + std::to_string(i) + "].path: " + ns.path;
    const UniqueFd fd(::open(ns.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::setns(fd.get(), flag) != 0) return fail_errno(field);
  }
  if (fresh != 0 && ::unshare(fresh) != 0) return fail_errno("cannot make namespaces", kExitSandbox);
  return {};
}

}  // namespace runsc::oci
