#include "kernel/namespaces.h"

#include "kernel/clone.h"

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
  }
}

Result<Ref<Namespaces>> Namespaces::create(Parts parts) {
  Ref<Namespaces> set = make_ref<Namespaces>(std::move(parts));
  if (!set) return Errno::nomem;
  return set;
}

Result<Ref<Namespaces>> Namespaces::create() {
  return create({TRY(UtsNamespace::create()), TRY(IpcNamespace::create()),
                 TRY(net::NetworkNamespace::create()), TRY(fs::MountNamespace::create())});
}

Result<Ref<Namespaces>> Namespaces::clone(uint64_t flags, fs::FsContext& fs) const {
  using namespace clone_flag;
  if (flags & (namespaces | newtime) & ~(newns | newuts | newipc)) return Errno::inval;
  Parts parts = parts_;
  if (flags & newuts) parts.uts = TRY(parts_.uts->clone());
  if (flags & newipc) parts.ipc = TRY(IpcNamespace::create());
  if (!(flags & newns)) return create(std::move(parts));
  fs::Path root = fs.root(), cwd = fs.cwd();
  parts.mounts = TRY(parts_.mounts->clone(root, cwd));
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
    default:
      return {};
  }
}

}  // namespace runsc::kernel
