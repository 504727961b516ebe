#include "kernel/new_super.h"

#include "fs/filesystem.h"
#include "fs/mount.h"
#include "fs/pseudo/pseudo.h"
#include "fs/user_namespace.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"

namespace runsc::kernel {

namespace {

// Over what the mounter must have CAP_SYS_ADMIN; null: the first user namespace.
Namespace* owner_of_kind(const Task& task, const fs::Credentials& asker, std::string_view type) {
  if (type == "proc") return task.pid_namespace().owner();
  if (type == "mqueue") return task.namespaces().ipc().owner();
  if (type == "sysfs") return task.namespaces().net().owner();
  if (type == "tmpfs" || type == "devpts" || type == "ramfs" || type == "overlay") return asker.user_ns.get();
  return nullptr;
}

// The options as the file system takes them: numbers of users and groups in the first namespace, and whose
// the root is where nothing is said.
Result<String> options_for(const fs::Credentials& creds, bool owned_root, std::string_view data) {
  HeapText text;
  if (owned_root) format(text, "uid={},gid={},", creds.fsuid, creds.fsgid);
  while (!data.empty()) {
    const size_t comma = data.find(',');
    const std::string_view option = data.substr(0, comma);
    data.remove_prefix(comma == std::string_view::npos ? data.size() : comma + 1);
    const bool user = option.starts_with("uid="), group = option.starts_with("gid=");
    if (user || group) {
      const uint64_t id = TRY(fs::parse_decimal(option.substr(4)));
      if (id >= fs::kNoId) return Errno::inval;
      const fs::UserNamespace* ns = creds.user_ns.get();
      const uint32_t meant = user ? fs::global_uid(ns, static_cast<uint32_t>(id))
                                  : fs::global_gid(ns, static_cast<uint32_t>(id));
      if (meant == fs::kNoId) return Errno::inval;
      format(text, "{}={},", user ? "uid" : "gid", meant);
    } else {
      format(text, "{},", option);
    }
  }
  TRY(text.status());
  return String::from(text.view().substr(0, text.view().empty() ? 0 : text.view().size() - 1));
}

}  // namespace

Result<Ref<fs::SuperBlock>> new_super(Task& task, const fs::Credentials& asker, std::string_view type,
                                      std::string_view source, std::string_view data) {
  const fs::MountFunction mount = TRY(fs::find_filesystem(type));
  Namespace* owner = owner_of_kind(task, asker, type);
  if (!fs::is_capable(task.creds(), owner, fs::Cap::sys_admin)) return Errno::perm;
  const bool memory = type == "tmpfs" || type == "ramfs";
  String own;
  if ((memory || type == "devpts") && (asker.user_ns || asker.fsuid != 0 || asker.fsgid != 0)) {
    own = TRY(options_for(asker, memory, data));
    data = own.view();
  }
  Ref<fs::SuperBlock> super = TRY(mount(source, data));
  // What there is one of, made at its first use, has its owner already.
  if (owner && super->mount_count.load(std::memory_order_relaxed) == 0 && !super->owner())
    super->set_owner(Ref<Namespace>(*owner));
  return super;
}

Result<uint32_t> check_revealing(Task& task, const fs::SuperBlock& super, uint64_t flags) {
  const fs::MountNamespace& ns = task.namespaces().mounts();
  uint32_t locks = 0;
  const bool reveals = super.type_name() == "proc" || super.type_name() == "sysfs";
  if (!ns.owner() || !reveals) return locks;
  if (!fs::is_visible_already(ns, super.type_name(), flags, locks)) return Errno::perm;
  return locks;
}

}  // namespace runsc::kernel
