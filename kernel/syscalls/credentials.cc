// Users, groups and capabilities of the caller (credentials(7), capabilities(7)).
#include <algorithm>

#include "fs/user_namespace.h"
#include "kernel/inspect.h"
#include "kernel/pid.h"
#include "kernel/syscalls/tasks.h"
#include "kernel/thread_group.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using fs::Cap;
using fs::Credentials;

namespace {

constexpr uint32_t kKeep = ~0u;
constexpr uint32_t kNoSetuidFixup = 4, kKeepCaps = 0x10;
constexpr uint64_t cap_bit(Cap c) { return uint64_t{1} << static_cast<unsigned>(c); }
constexpr uint64_t kFsCaps = cap_bit(Cap::chown) | cap_bit(Cap::dac_override) |
                             cap_bit(Cap::dac_read_search) | cap_bit(Cap::fowner) | cap_bit(Cap::fsetid) |
                             cap_bit(Cap::linux_immutable) | cap_bit(Cap::mknod) | cap_bit(Cap::mac_override);

// capabilities(7), "Effect of user ID changes on capabilities".
void fix_capabilities(Credentials& c, const Credentials& old) {
  if (c.securebits & kNoSetuidFixup) return;
  const uint32_t root = fs::global_uid(old.user_ns.get(), 0);
  bool had_root = old.uid == root || old.euid == root || old.suid == root;
  bool has_root = c.uid == root || c.euid == root || c.suid == root;
  if (had_root && !has_root && !(c.securebits & kKeepCaps)) c.permitted = c.effective = 0;
  if (had_root && !has_root) c.ambient = 0;
  if (old.euid == root && c.euid != root) c.effective = 0;
  if (old.euid != root && c.euid == root) c.effective = c.permitted;
  if (old.fsuid == root && c.fsuid != root) c.effective &= ~kFsCaps;
  if (old.fsuid != root && c.fsuid == root) c.effective |= kFsCaps & c.permitted;
}

// A change of identity: `change(creds)` gives Result<void>.
template <class F>
Result<void> change_creds(Task& task, F&& change) {
  Ref<Credentials> c = TRY(task.creds().clone());
  TRY(change(*c));
  const Credentials& old = task.creds();
  fix_capabilities(*c, old);
  if (c->euid != old.euid || c->egid != old.egid || c->fsuid != old.fsuid || c->fsgid != old.fsgid) {
    set_dumpable(task.group(), 0);
    task.parent_death_signal.store(0, std::memory_order_relaxed);
  }
  task.set_creds(std::move(c));
  return {};
}

// What the caller means by the number: EINVAL if it means nothing. -1 stays.
Result<uint32_t> meant_uid(const Task& task, uint32_t id) {
  const uint32_t uid = id == kKeep ? kKeep : fs::global_uid(task.creds().user_ns.get(), id);
  if (id != kKeep && uid == fs::kNoId) return Errno::inval;
  return uid;
}
Result<uint32_t> meant_gid(const Task& task, uint32_t id) {
  const uint32_t gid = id == kKeep ? kKeep : fs::global_gid(task.creds().user_ns.get(), id);
  if (id != kKeep && gid == fs::kNoId) return Errno::inval;
  return gid;
}

bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c) { return id == a || id == b || id == c; }

}  // namespace

Result<uint32_t> sys_getuid(Task& task) { return fs::shown_uid(task.creds(), task.creds().uid); }
Result<uint32_t> sys_geteuid(Task& task) { return fs::shown_uid(task.creds(), task.creds().euid); }
Result<uint32_t> sys_getgid(Task& task) { return fs::shown_gid(task.creds(), task.creds().gid); }
Result<uint32_t> sys_getegid(Task& task) { return fs::shown_gid(task.creds(), task.creds().egid); }

Result<void> sys_setuid(Task& task, uint32_t uid) {
  if (uid == kKeep) return Errno::inval;
  uid = TRY(meant_uid(task, uid));
  return change_creds(task, [&](Credentials& c) -> Result<void> {
    if (c.has_own(Cap::setuid)) {
      c.uid = c.suid = uid;
    } else if (uid != c.uid && uid != c.suid) {
      return Errno::perm;
    }
    c.euid = c.fsuid = uid;
    return {};
  });
}

Result<void> sys_setgid(Task& task, uint32_t gid) {
  if (gid == kKeep) return Errno::inval;
  gid = TRY(meant_gid(task, gid));
  return change_creds(task, [&](Credentials& c) -> Result<void> {
    if (c.has_own(Cap::setgid)) {
      c.gid = c.sgid = gid;
    } else if (gid != c.gid && gid != c.sgid) {
      return Errno::perm;
    }
    c.egid = c.fsgid = gid;
    return {};
  });
}

Result<void> sys_setreuid(Task& task, uint32_t ruid, uint32_t euid) {
  ruid = TRY(meant_uid(task, ruid));
  euid = TRY(meant_uid(task, euid));
  return change_creds(task, [&](Credentials& c) -> Result<void> {
    bool free = c.has_own(Cap::setuid);
    if (ruid != kKeep && !free && ruid != c.uid && ruid != c.euid) return Errno::perm;
    if (euid != kKeep && !free && !one_of(euid, c.uid, c.euid, c.suid)) return Errno::perm;
    uint32_t old_uid = c.uid;
    if (ruid != kKeep) c.uid = ruid;
    if (euid != kKeep) c.euid = euid;
    if (ruid != kKeep || (euid != kKeep && euid != old_uid)) c.suid = c.euid;
    c.fsuid = c.euid;
    return {};
  });
}

Result<void> sys_setregid(Task& task, uint32_t rgid, uint32_t egid) {
  rgid = TRY(meant_gid(task, rgid));
  egid = TRY(meant_gid(task, egid));
  return change_creds(task, [&](Credentials& c) -> Result<void> {
    bool free = c.has_own(Cap::setgid);
    if (rgid != kKeep && !free && rgid != c.gid && rgid != c.egid) return Errno::perm;
    if (egid != kKeep && !free && !one_of(egid, c.gid, c.egid, c.sgid)) return Errno::perm;
    uint32_t old_gid = c.gid;
    if (rgid != kKeep) c.gid = rgid;
    if (egid != kKeep) c.egid = egid;
    if (rgid != kKeep || (egid != kKeep && egid != old_gid)) c.sgid = c.egid;
    c.fsgid = c.egid;
    return {};
  });
}

Result<void> sys_setresuid(Task& task, uint32_t ruid, uint32_t euid, uint32_t suid) {
  ruid = TRY(meant_uid(task, ruid));
  euid = TRY(meant_uid(task, euid));
  suid = TRY(meant_uid(task, suid));
  return change_creds(task, [&](Credentials& c) -> Result<void> {
    if (!c.has_own(Cap::setuid))
      for (uint32_t id : {ruid, euid, suid})
        if (id != kKeep && !one_of(id, c.uid, c.euid, c.suid)) return Errno::perm;
    if (ruid != kKeep) c.uid = ruid;
    if (euid != kKeep) c.euid = euid;
    if (suid != kKeep) c.suid = suid;
    c.fsuid = c.euid;
    return {};
  });
}

Result<void> sys_setresgid(Task& task, uint32_t rgid, uint32_t egid, uint32_t sgid) {
  rgid = TRY(meant_gid(task, rgid));
  egid = TRY(meant_gid(task, egid));
  sgid = TRY(meant_gid(task, sgid));
  return change_creds(task, [&](Credentials& c) -> Result<void> {
    if (!c.has_own(Cap::setgid))
      for (uint32_t id : {rgid, egid, sgid})
        if (id != kKeep && !one_of(id, c.gid, c.egid, c.sgid)) return Errno::perm;
    if (rgid != kKeep) c.gid = rgid;
    if (egid != kKeep) c.egid = egid;
    if (sgid != kKeep) c.sgid = sgid;
    c.fsgid = c.egid;
    return {};
  });
}

Result<void> sys_getresuid(Task& task, uint64_t ruid, uint64_t euid, uint64_t suid) {
  const Credentials& c = task.creds();
  TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(ruid), fs::shown_uid(c, c.uid)));
  TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(euid), fs::shown_uid(c, c.euid)));
  return mm::copy_out(task.mm(), UserPtr<uint32_t>(suid), fs::shown_uid(c, c.suid));
}

Result<void> sys_getresgid(Task& task, uint64_t rgid, uint64_t egid, uint64_t sgid) {
  const Credentials& c = task.creds();
  TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(rgid), fs::shown_gid(c, c.gid)));
  TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(egid), fs::shown_gid(c, c.egid)));
  return mm::copy_out(task.mm(), UserPtr<uint32_t>(sgid), fs::shown_gid(c, c.sgid));
}

// Both return the old value and never fail (setfsuid(2)).
Result<uint32_t> sys_setfsuid(Task& task, uint32_t uid) {
  const Credentials& c = task.creds();
  const uint32_t old = fs::shown_uid(c, c.fsuid), current = c.fsuid;
  uid = uid == kKeep ? kKeep : fs::global_uid(c.user_ns.get(), uid);
  if (uid == kKeep || !(c.has_own(Cap::setuid) || uid == current || one_of(uid, c.uid, c.euid, c.suid)))
    return old;
  (void)change_creds(task, [&](Credentials& n) -> Result<void> {
    n.fsuid = uid;
    return {};
  });
  return old;
}

Result<uint32_t> sys_setfsgid(Task& task, uint32_t gid) {
  const Credentials& c = task.creds();
  const uint32_t old = fs::shown_gid(c, c.fsgid), current = c.fsgid;
  gid = gid == kKeep ? kKeep : fs::global_gid(c.user_ns.get(), gid);
  if (gid == kKeep || !(c.has_own(Cap::setgid) || gid == current || one_of(gid, c.gid, c.egid, c.sgid)))
    return old;
  (void)change_creds(task, [&](Credentials& n) -> Result<void> {
    n.fsgid = gid;
    return {};
  });
  return old;
}

Result<size_t> sys_getgroups(Task& task, int size, uint64_t list) {
  const auto& groups = task.creds().groups;
  if (size < 0) return Errno::inval;
  if (size == 0) return groups.size();
  if (static_cast<size_t>(size) < groups.size()) return Errno::inval;
  if (!task.creds().user_ns) {
    TRY(mm::copy_out_array(task.mm(), UserPtr<uint32_t>(list), groups.span()));
    return groups.size();
  }
  for (size_t i = 0; i < groups.size(); ++i)
    TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(list + i * sizeof(uint32_t)),
                     fs::shown_gid(task.creds(), groups[i])));
  return groups.size();
}

namespace {
// user_namespaces(7), /proc/PID/setgroups: not before the groups are mapped, and never where it is denied.
bool may_set_groups(const Credentials& creds) {
  const fs::UserNamespace* ns = creds.user_ns.get();
  return !ns || (!ns->groups.empty() && ns->setgroups_allowed.load(std::memory_order_relaxed));
}
}  // namespace

Result<void> sys_setgroups(Task& task, int size, uint64_t list) {
  constexpr int kMax = 65536;
  if (!task.creds().has_own(Cap::setgid) || !may_set_groups(task.creds())) return Errno::perm;
  if (size < 0 || size > kMax) return Errno::inval;
  Vec<uint32_t> groups;
  TRY(groups.resize(static_cast<size_t>(size)));
  TRY(mm::copy_in_array(task.mm(), groups.span(), UserPtr<uint32_t>(list)));
  for (uint32_t& gid : groups.span()) {
    if (gid == kKeep) return Errno::inval;
    gid = TRY(meant_gid(task, gid));
  }
  std::sort(groups.begin(), groups.end());
  return change_creds(task, [&](Credentials& c) -> Result<void> {
    c.groups.swap(groups);
    return {};
  });
}

// ---- capget, capset

namespace {

struct CapHeader {
  uint32_t version;
  int32_t pid;
};
struct CapData {
  uint32_t effective, permitted, inheritable;
};
constexpr uint32_t kVersion1 = 0x19980330, kVersion2 = 0x20071026, kVersion3 = 0x20080522;

// How many CapData words follow; EINVAL puts the preferred version into the header.
Result<size_t> cap_words(Task& task, uint64_t address, CapHeader& h) {
  h = TRY(mm::copy_in(task.mm(), UserPtr<CapHeader>(address)));
  if (h.version == kVersion1) return size_t{1};
  if (h.version == kVersion2 || h.version == kVersion3) return size_t{2};
  TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(address), kVersion3));
  return Errno::inval;
}

}  // namespace

Result<void> sys_capget(Task& task, uint64_t header, uint64_t data) {
  CapHeader h;
  auto words = cap_words(task, header, h);
  if (!words) return words.error() == Errno::inval && data == 0 ? Result<void>() : words.error();
  if (h.pid < 0) return Errno::inval;
  Ref<Credentials> c = h.pid == 0 ? task.creds_ref() : nullptr;
  if (h.pid != 0) {
    Ref<Task> t = find_task(task, h.pid);
    if (!t) return Errno::srch;
    c = t->creds_ref();
  }
  if (data == 0) return {};
  CapData out[2];
  for (unsigned i = 0; i < 2; ++i)
    out[i] = {static_cast<uint32_t>(c->effective >> 32 * i), static_cast<uint32_t>(c->permitted >> 32 * i),
              static_cast<uint32_t>(c->inheritable >> 32 * i)};
  return mm::copy_out_bytes(task.mm(), data, out, *words * sizeof(CapData));
}

Result<void> sys_capset(Task& task, uint64_t header, uint64_t data) {
  CapHeader h;
  size_t words = TRY(cap_words(task, header, h));
  if (h.pid != 0 && h.pid != task.own_tid()) return Errno::perm;
  CapData in[2] = {};
  TRY(mm::copy_in_bytes(task.mm(), in, data, words * sizeof(CapData)));
  uint64_t effective = in[0].effective | uint64_t{in[1].effective} << 32;
  uint64_t permitted = in[0].permitted | uint64_t{in[1].permitted} << 32;
  uint64_t inheritable = in[0].inheritable | uint64_t{in[1].inheritable} << 32;
  effective &= fs::kAllCaps, permitted &= fs::kAllCaps, inheritable &= fs::kAllCaps;
  Ref<Credentials> c = TRY(task.creds().clone());
  if (!c->has_own(Cap::setpcap) && inheritable & ~(c->inheritable | c->permitted)) return Errno::perm;
  if (inheritable & ~(c->inheritable | c->bounding)) return Errno::perm;
  if (permitted & ~c->permitted || effective & ~permitted) return Errno::perm;
  c->effective = effective;
  c->permitted = permitted;
  c->inheritable = inheritable;
  c->ambient &= permitted & inheritable;
  task.set_creds(std::move(c));
  return {};
}

}  // namespace runsc::kernel
