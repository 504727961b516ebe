// Credentials of a task (credentials(7), capabilities(7)). Immutable once shared: a change makes a new one.
#pragma once

#include <cstdint>

#include "kernel/base/ref.h"
#include "kernel/base/vec.h"

namespace runsc::fs {

enum class Cap : uint8_t {
  chown = 0,
  dac_override = 1,
  dac_read_search = 2,
  fowner = 3,
  fsetid = 4,
  kill = 5,
  setgid = 6,
  setuid = 7,
  setpcap = 8,
  linux_immutable = 9,
  net_bind_service = 10,
  net_broadcast = 11,
  net_admin = 12,
  net_raw = 13,
  ipc_lock = 14,
  ipc_owner = 15,
  sys_module = 16,
  sys_rawio = 17,
  sys_chroot = 18,
  sys_ptrace = 19,
  sys_pacct = 20,
  sys_admin = 21,
  sys_boot = 22,
  sys_nice = 23,
  sys_resource = 24,
  sys_time = 25,
  sys_tty_config = 26,
  mknod = 27,
  lease = 28,
  audit_write = 29,
  audit_control = 30,
  setfcap = 31,
  mac_override = 32,
  mac_admin = 33,
  syslog = 34,
  wake_alarm = 35,
  block_suspend = 36,
  audit_read = 37,
  perfmon = 38,
  bpf = 39,
  checkpoint_restore = 40,
};
inline constexpr uint64_t kAllCaps = (uint64_t{1} << 41) - 1;

class UserNamespace;  // fs/user_namespace.h

// Users and groups by their numbers in the first user namespace.
struct Credentials final : RefCounted<Credentials> {
  Credentials();
  ~Credentials();
  uint32_t uid = 0, gid = 0, euid = 0, egid = 0, suid = 0, sgid = 0, fsuid = 0, fsgid = 0;
  Vec<uint32_t> groups;  // sorted
  uint64_t effective = 0, permitted = 0, inheritable = 0, bounding = kAllCaps, ambient = 0;
  uint32_t securebits = 0;
  bool no_new_privs = false;
  Ref<UserNamespace> user_ns;  // in which the capabilities count; null: the first one

  // Over what belongs to the first user namespace, and so over everything.
  bool has(Cap c) const { return !user_ns && has_own(c); }
  // Over what belongs to its own.
  bool has_own(Cap c) const { return effective >> static_cast<unsigned>(c) & 1; }
  bool in_group(uint32_t g) const {
    if (g == fsgid) return true;
    for (uint32_t x : groups)
      if (x == g) return true;
    return false;
  }
  // A copy to change before it is shared. ENOMEM.
  Result<Ref<Credentials>> clone() const;
};

}  // namespace runsc::fs
