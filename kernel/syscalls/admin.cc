// swapon(2), acct(2), init_module(2) and others for which the sandbox has nothing behind: who lacks the
// capability is refused as by Linux, others learn that it is not built in (ENOSYS).
#include "kernel/syscalls/admin.h"

#include "kernel/job_control.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

using fs::Cap;

namespace {

Result<void> absent_unless_refused(Task& task, Cap cap) {
  return task.creds().has(cap) ? Errno::nosys : Errno::perm;
}

}  // namespace

Result<void> sys_swapon(Task& task, uint64_t, uint32_t flags) {
  constexpr uint32_t kValid = 0x7ffff;  // priority, PREFER, DISCARD, DISCARD_ONCE, DISCARD_PAGES
  if (flags & ~kValid) return Errno::inval;
  return absent_unless_refused(task, Cap::sys_admin);
}

Result<void> sys_swapoff(Task& task, uint64_t) { return absent_unless_refused(task, Cap::sys_admin); }
Result<void> sys_acct(Task& task, uint64_t) { return absent_unless_refused(task, Cap::sys_pacct); }

// No file system here has quotas, nor stands on a block device.
Result<void> sys_quotactl(Task& task, uint32_t command, uint64_t special, uint32_t, uint64_t) {
  constexpr uint32_t kTypes = 3, kSync = 0x800001;
  if ((command & 0xff) >= kTypes) return Errno::inval;
  if (special == 0) return command >> 8 == kSync ? Result<void>() : Errno::nodev;
  fs::Path device = TRY(lookup_argument(task, abi::at::fdcwd, special, 0));
  if (fs::inode_of(device).type() != fs::kBlockDev) return Errno::notblk;
  return fs::mount_flags(device) & fs::kMsNodev ? Errno::acces : Errno::nodev;
}

// No task ever has a level above 0 or a port of its own.
Result<void> sys_iopl(Task& task, uint32_t level) {
  if (level > 3) return Errno::inval;
  if (level == 0) return {};
  return absent_unless_refused(task, Cap::sys_rawio);
}

Result<void> sys_ioperm(Task& task, uint64_t from, uint64_t count, int on) {
  constexpr uint64_t kPorts = 65536;
  uint64_t end = from + count;
  if (end <= from || end > kPorts) return Errno::inval;
  if (!on) return {};
  return absent_unless_refused(task, Cap::sys_rawio);
}

Result<void> sys_vhangup(Task& task) {
  if (!task.creds().has(Cap::sys_tty_config)) return Errno::perm;
  return controlling_tty_of(task.group().sid.load(std::memory_order_relaxed)) ? Errno::nosys : Result<void>();
}

Result<void> sys_init_module(Task& task, uint64_t, uint64_t, uint64_t) {
  return absent_unless_refused(task, Cap::sys_module);
}
Result<void> sys_finit_module(Task& task, int, uint64_t, uint32_t) {
  return absent_unless_refused(task, Cap::sys_module);
}
Result<void> sys_delete_module(Task& task, uint64_t, uint32_t) {
  return absent_unless_refused(task, Cap::sys_module);
}

Result<void> sys_kexec_load(Task& task, uint64_t, uint64_t, uint64_t, uint64_t) {
  return absent_unless_refused(task, Cap::sys_boot);
}
Result<void> sys_kexec_file_load(Task& task, int, int, uint64_t, uint64_t, uint64_t) {
  return absent_unless_refused(task, Cap::sys_boot);
}

Result<void> sys_lookup_dcookie(Task& task, uint64_t, uint64_t, uint64_t) {
  return absent_unless_refused(task, Cap::sys_admin);
}

// As with kernel.unprivileged_bpf_disabled, the default of distributions.
Result<void> sys_bpf(Task& task, int, uint64_t, uint32_t) {
  if (task.creds().has(Cap::bpf)) return Errno::nosys;
  return absent_unless_refused(task, Cap::sys_admin);
}

// No handle was ever given out (name_to_handle_at(2)), so none is of use.
Result<void> sys_open_by_handle_at(Task& task, int mount_fd, uint64_t handle_at, uint32_t) {
  struct Handle {
    uint32_t bytes;
    int32_t type;
  };
  constexpr uint32_t kMaxBytes = 128;
  if (!task.creds().has(Cap::dac_read_search)) return Errno::perm;
  Handle handle = TRY(mm::copy_in(task.mm(), UserPtr<Handle>(handle_at)));
  if (handle.bytes == 0 || handle.bytes > kMaxBytes) return Errno::inval;
  if (mount_fd != abi::at::fdcwd) (void)TRY(any_file_of(task, mount_fd));
  return Errno::stale;
}

// Without the capability only groups that report file handles are allowed.
Result<void> sys_fanotify_init(Task& task, uint32_t flags, uint32_t) {
  constexpr uint32_t kReportHandles = 0x200 | 0x400 | 0x800;
  return flags & kReportHandles ? Errno::nosys : absent_unless_refused(task, Cap::sys_admin);
}

}  // namespace runsc::kernel
