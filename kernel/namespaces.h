// Namespaces: the set that a task is in, one of each kind (namespaces(7)). A set never changes: tasks go to
// another one.
#pragma once

#include "fs/mount.h"
#include "kernel/ipc/namespace.h"
#include "kernel/pid_namespace.h"
#include "kernel/uts.h"
#include "net/network_namespace.h"

namespace runsc::kernel {

class Namespaces final : public RefCounted<Namespaces> {
 public:
  struct Parts {
    Ref<UtsNamespace> uts;
    Ref<IpcNamespace> ipc;
    Ref<net::NetworkNamespace> net;
    Ref<fs::MountNamespace> mounts;
    Ref<PidNamespace> pid_for_children;
    Ref<Namespace> cgroup;  // there are no groups in it
    // Goes where `ns` is.
    void join(Ref<Namespace> ns);
  };
  // A container's own. ENOMEM.
  static Result<Ref<Namespaces>> create();
  static Result<Ref<Namespaces>> create(Parts parts);
  // With new ones of the kinds in `flags` (CLONE_NEW*), which belong to the user namespace of `creds`; with a
  // new mount namespace `fs` moves over. EPERM: not for `creds`. ENOMEM; EINVAL: a kind that cannot be made.
  Result<Ref<Namespaces>> clone(uint64_t flags, fs::FsContext& fs, const fs::Credentials& creds) const;

  UtsNamespace& uts() const { return *parts_.uts; }
  IpcNamespace& ipc() const { return *parts_.ipc; }
  net::NetworkNamespace& net() const { return *parts_.net; }
  fs::MountNamespace& mounts() const { return *parts_.mounts; }
  PidNamespace& pid_for_children() const { return *parts_.pid_for_children; }
  Parts parts() const { return parts_; }
  Namespace& cgroup() const { return *parts_.cgroup; }
  // Null: not of the kinds of which there can be several.
  Ref<Namespace> of_kind(uint64_t kind) const;

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit Namespaces(Parts parts) : parts_(std::move(parts)) {}
  const Parts parts_;
};

// The credentials of `task` in a new user namespace of its own (unshare(2), CLONE_NEWUSER). EPERM: it has
// changed its root, or has no number where it stands; ENOSPC: too deep; ENOMEM.
Result<Ref<fs::Credentials>> creds_in_new_user_namespace(const Task& task);

}  // namespace runsc::kernel
