#include "kernel/namespaces.h"

#include "fs/user_namespace.h"
#include "kernel/clone.h"
#include "kernel/pid.h"
#include "net/inet/stack.h"

namespace runsc::kernel {

void Namespaces::Parts::join(Ref<Namespace> ns) {
  switch (ns->kind()) {
    case NamespaceKind::uts:
      uts = Ref<UtsNamespace>(static_cast<UtsNamespace&>(*ns));
      break;
    case NamespaceKind::ipc:
      ipc = Ref<IpcNamespace>(static_cast<IpcNamespace&>(*ns));
      break;
    case NamespaceKind::net:
      net = Ref<net::NetworkNamespace>(static_cast<net::NetworkNamespace&>(*ns));
      break;
    case NamespaceKind::mount:
      mounts = Ref<fs::MountNamespace>(static_cast<fs::MountNamespace&>(*ns));
      break;
    case NamespaceKind::pid:
      pid_for_children = Ref<PidNamespace>(static_cast<PidNamespace&>(*ns));
      break;
    case NamespaceKind::cgroup:
      cgroup = std::move(ns);
      break;
    default:
      break;
  }
}

namespace {

class CgroupNamespace final : public Namespace {
 public:
  CgroupNamespace() : Namespace(NamespaceKind::cgroup) {}
};

Result<Ref<Namespace>> make_cgroup_namespace() {
  Ref<Namespace> ns = make_ref<CgroupNamespace>();
  if (!ns) return Errno::nomem;
  return ns;
}

}  // namespace

Result<Ref<fs::Credentials>> creds_in_new_user_namespace(const Task& task) {
  const fs::Path root = task.fs().root(), top = task.namespaces().mounts().root();
  Ref<fs::UserNamespace> ns = TRY(fs::UserNamespace::create(task.creds()));
  if (root.mount != top.mount || root.dentry != top.dentry) return Errno::perm;
  Ref<fs::Credentials> creds = TRY(task.creds().clone());
  fs::enter_user_namespace(*creds, std::move(ns));
  return creds;
}

Result<Ref<Namespaces>> Namespaces::create(Parts parts) {
  Ref<Namespaces> set = make_ref<Namespaces>(std::move(parts));
  if (!set) return Errno::nomem;
  return set;
}

Result<Ref<Namespaces>> Namespaces::create() {
  Ref<net::NetworkNamespace> net = TRY(net::NetworkNamespace::create());
  // As who makes a container's network leaves it.
  net::NetConfig& config = net->inet().config;
  TRY(config.set_flags(*config.loopback(), net::interface_flag::up, net::interface_flag::up));
  return create({TRY(UtsNamespace::create()), TRY(IpcNamespace::create()), std::move(net),
                 TRY(fs::MountNamespace::create()), Ref<PidNamespace>(first_pid_namespace()),
                 TRY(make_cgroup_namespace())});
}

Result<Ref<Namespaces>> Namespaces::clone(uint64_t flags, fs::FsContext& fs,
                                          const fs::Credentials& creds) const {
  using namespace clone_flag;
  if (!creds.has_own(fs::Cap::sys_admin)) return Errno::perm;
  const Ref<Namespace> owner(creds.user_ns);
  if (flags & (namespaces | newtime) & ~(newns | newuts | newipc | newpid | newuser | newcgroup | newnet))
    return Errno::inval;
  Parts parts = parts_;
  if (flags & newuts) {
    parts.uts = TRY(parts_.uts->clone());
    parts.uts->set_owner(owner);
  }
  if (flags & newipc) {
    parts.ipc = TRY(IpcNamespace::create());
    parts.ipc->set_owner(owner);
  }
  if (flags & newnet) {
    parts.net = TRY(net::NetworkNamespace::create());
    parts.net->set_owner(owner);
  }
  if (flags & newcgroup) {
    parts.cgroup = TRY(make_cgroup_namespace());
    parts.cgroup->set_owner(owner);
  }
  if (flags & newpid) {
    // One step at a time: who has asked for another stands still above it.
    if (&pid_for_children() != &Task::current().pid_namespace()) return Errno::inval;
    parts.pid_for_children = TRY(PidNamespace::create(parts_.pid_for_children.get(), owner));
  }
  if (!(flags & newns)) return create(std::move(parts));
  fs::Path root = fs.root(), cwd = fs.cwd();
  parts.mounts = TRY(parts_.mounts->clone(root, cwd, owner));
  Ref<Namespaces> set = TRY(create(std::move(parts)));
  fs.set_root(std::move(root));
  fs.set_cwd(std::move(cwd));
  return set;
}

Ref<Namespace> Namespaces::of_kind(uint64_t kind) const {
  switch (kind) {
    case clone_flag::newuts:
      return parts_.uts;
    case clone_flag::newipc:
      return parts_.ipc;
    case clone_flag::newns:
      return parts_.mounts;
    case clone_flag::newnet:
      return parts_.net;
    case clone_flag::newpid:
      return parts_.pid_for_children;
    case clone_flag::newcgroup:
      return parts_.cgroup;
    default:
      return {};
  }
}

}  // namespace runsc::kernel
