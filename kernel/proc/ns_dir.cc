// /proc/PID/ns (namespaces(7)). Of some kinds there is one namespace only, and every process is in it.
#include "fs/mount.h"
#include "fs/namespace_inode.h"
#include "fs/user_namespace.h"
#include "kernel/clone.h"
#include "kernel/namespace_file.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/proc/proc.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

using namespace clone_flag;

constexpr uint8_t kDtLnk = 10;
constexpr uint64_t kNsfsMagic = 0x6e736673;

struct Row {
  std::string_view name, kind;
  uint64_t type;
  uint32_t ino;  // 0: its namespaces have their own
};
constexpr Row kRows[] = {
    {"cgroup", "cgroup", newcgroup, 0},
    {"ipc", "ipc", newipc, 0},
    {"mnt", "mnt", newns, 0},
    {"net", "net", newnet, 0},
    {"pid", "pid", newpid, 0},
    {"pid_for_children", "pid", newpid, 0},
    {"time", "time", newtime, 4026531834},
    {"time_for_children", "time", newtime, 4026531834},
    {"user", "user", newuser, 4026531837},
    {"uts", "uts", newuts, 0},
};

// The file system of namespaces: never mounted, one for its device number.
Mutex g_nsfs_lock{LockRank::mapping};
Ref<fs::PseudoSuper> g_nsfs GUARDED_BY(g_nsfs_lock);

Result<Ref<fs::PseudoSuper>> nsfs() {
  LockGuard guard(g_nsfs_lock);
  if (!g_nsfs) g_nsfs = make_ref<fs::PseudoSuper>(fs::kNsfs, kNsfsMagic);
  if (!g_nsfs) return Errno::nomem;
  return g_nsfs;
}

uint32_t number_of(const Row& row, const Namespace* ns) { return ns ? ns->inode_number() : row.ino; }

class NamespaceNode final : public fs::NamespaceInode {
 public:
  NamespaceNode(fs::PseudoSuper& super, const Row& row, Ref<Namespace> ns)
      : NamespaceInode(super, fs::kRegular | 0444), row_(row), ns_(std::move(ns)) {}
  Result<fs::Attr> get_attr() override {
    fs::Attr a = TRY(PseudoInode::get_attr());
    a.ino = number_of(row_, ns_.get());
    a.block_size = 4096;
    return a;
  }
  Result<Ref<fs::File>> open(uint32_t flags) override;
  const Namespace* namespace_or_null() const override { return ns_.get(); }
  uint64_t type() const { return row_.type; }
  const Ref<Namespace>& ns() const { return ns_; }

 private:
  const Row& row_;
  const Ref<Namespace> ns_;
};

Result<Ref<fs::File>> NamespaceNode::open(uint32_t flags) {
  Ref<fs::File> file = make_ref<NamespaceFile>(flags, Ref<fs::Inode>(*this), row_.type);
  if (!file) return Errno::nomem;
  return file;
}

Result<String> name_of(const Row& row, const Namespace* ns) {
  char room[32];
  FixedText text(room);
  format(text, "{}:[{}]", row.kind, number_of(row, ns));
  return String::from(text.view());
}

Result<fs::Path> path_of(const Row& row, Ref<Namespace> ns) {
  Ref<fs::PseudoSuper> super = TRY(nsfs());
  String name = TRY(name_of(row, ns.get()));
  Ref<fs::Inode> node = make_ref<NamespaceNode>(*super, row, std::move(ns));
  if (!node) return Errno::nomem;
  return fs::anonymous_path(std::move(node), name.view());
}

// ENOENT: the task has ended.
Result<Ref<Namespace>> namespace_of(const Task& task, const Row& row) {
  if (row.type == newuser) {
    Ref<fs::Credentials> creds = task.creds_ref();
    if (!creds) return Errno::noent;
    return Ref<Namespace>(creds->user_ns);
  }
  if (row.ino != 0) return Ref<Namespace>();
  if (row.name == "pid") return Ref<Namespace>(Ref<PidNamespace>(task.pid_namespace()));
  Ref<Namespaces> set = task.namespaces_ref();
  if (!set) return Errno::noent;
  if (row.type == newpid) {
    // Nothing to see before its init is born.
    LockGuard guard(g_tree_lock);
    if (!set->pid_for_children().init) return Errno::noent;
  }
  return set->of_kind(row.type);
}

const Row& row_of(uint64_t type) {
  for (const Row& row : kRows)
    if (row.type == type) return row;
  return kRows[0];
}

class NamespaceLink final : public fs::LinkNode {
 public:
  NamespaceLink(fs::PseudoSuper& super, Ref<Task> task, const Row& row)
      : LinkNode(super), task_(std::move(task)), row_(row) {
    if (Ref<fs::Credentials> c = task_->creds_ref()) set_owner(c->euid, c->egid);
  }
  Result<String> read_link() override {
    if (!proc::may_inspect(*task_)) return Errno::acces;
    return name_of(row_, TRY(namespace_of(*task_, row_)).get());
  }
  Result<fs::Path> follow_magic() override {
    if (!proc::may_inspect(*task_)) return Errno::acces;
    return path_of(row_, TRY(namespace_of(*task_, row_)));
  }

 private:
  const Ref<Task> task_;
  const Row& row_;
};

class NamespacesDir final : public fs::DirNode {
 public:
  NamespacesDir(fs::PseudoSuper& super, Ref<Task> task)
      : DirNode(super, fs::kDirectory | 0511), task_(std::move(task)) {
    if (Ref<fs::Credentials> c = task_->creds_ref()) set_owner(c->euid, c->egid);
  }
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    for (const Row& row : kRows) {
      if (row.name != name) continue;
      Ref<fs::Inode> node = make_ref<NamespaceLink>(pseudo(), task_, row);
      if (!node) return Errno::nomem;
      return node;
    }
    return Errno::noent;
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    for (; offset < std::size(kRows); ++offset)
      if (!sink.add(kRows[offset].name, 0, kDtLnk, offset + 1)) break;
    return offset;
  }

 private:
  const Ref<Task> task_;
};

}  // namespace

// ioctl_ns(2): the numbers carry no size.
constexpr uint32_t kGetUserNs = 0xb701, kGetParent = 0xb702, kGetType = 0xb703, kGetOwnerUid = 0xb704;

namespace {

Result<uint64_t> open_namespace(const Row& row, Ref<Namespace> ns) {
  fs::Path path = TRY(path_of(row, std::move(ns)));
  Ref<fs::File> file = TRY(path.dentry->inode()->open(fs::open_flag::rdonly));
  file->set_path(std::move(path));
  return static_cast<uint64_t>(TRY(Task::current().files().install(
      std::move(file), true, Task::current().limit(static_cast<unsigned>(Resource::nofile)))));
}

// EPERM: there is none, or the caller is not in it.
Result<Ref<Namespace>> parent_in_sight(const fs::File& file) {
  Ref<Namespace> ns = kernel::namespace_of(file);
  PidNamespace* parent = ns ? static_cast<PidNamespace&>(*ns).parent() : nullptr;
  if (!parent || !Task::current().pid_namespace().contains(*parent)) return Errno::perm;
  return Ref<Namespace>(Ref<PidNamespace>(*parent));
}

// The user namespace that it belongs to; of one itself the one above. EPERM likewise.
Result<Ref<Namespace>> owner_in_sight(const fs::File& file, uint64_t type) {
  Ref<Namespace> ns = kernel::namespace_of(file);
  if (!ns && type == newuser) return Errno::perm;
  auto* owner = ns ? static_cast<fs::UserNamespace*>(ns->owner()) : nullptr;
  if (!fs::is_within(owner, Task::current().creds().user_ns.get())) return Errno::perm;
  return owner ? Ref<Namespace>(Ref<fs::UserNamespace>(*owner)) : Ref<Namespace>();
}

}  // namespace

Result<uint64_t> NamespaceFile::ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) {
  switch (request) {
    case kGetType:
      return type_;
    case kGetParent:
      if (type_ != newpid && type_ != newuser) return Errno::inval;
      if (type_ == newpid) return open_namespace(row_of(newpid), TRY(parent_in_sight(*this)));
      [[fallthrough]];
    case kGetUserNs:
      return open_namespace(row_of(newuser), TRY(owner_in_sight(*this, type_)));
    case kGetOwnerUid: {
      if (type_ != newuser) return Errno::inval;
      const Ref<Namespace> ns = kernel::namespace_of(*this);
      const uint32_t uid = ns ? static_cast<fs::UserNamespace&>(*ns).owner_uid() : 0;
      TRY(mm::copy_out(context.space, mm::UserPtr<uint32_t>(argument),
                       fs::shown_uid(Task::current().creds(), uid)));
      return uint64_t{0};
    }
    default:
      return Errno::notty;
  }
}

namespace {
const NamespaceNode* node_of(const fs::File& file) {
  const fs::Inode* inode = file.inode();
  if (!inode || inode->super().type_name() != fs::kNsfs) return nullptr;
  return static_cast<const NamespaceNode*>(inode);
}
}  // namespace

uint64_t namespace_type(const fs::File& file) {
  const NamespaceNode* node = node_of(file);
  return node ? node->type() : 0;
}

Ref<Namespace> namespace_of(const fs::File& file) {
  const NamespaceNode* node = node_of(file);
  return node ? node->ns() : Ref<Namespace>();
}

Ref<Namespace> namespace_of(const fs::Inode& inode) {
  if (inode.super().type_name() != fs::kNsfs) return {};
  return static_cast<const NamespaceNode&>(inode).ns();
}

Result<Ref<fs::Inode>> proc::make_ns_dir(fs::PseudoSuper& super, Ref<Task> task) {
  Ref<fs::Inode> node = make_ref<NamespacesDir>(super, std::move(task));
  if (!node) return Errno::nomem;
  return node;
}

}  // namespace runsc::kernel
