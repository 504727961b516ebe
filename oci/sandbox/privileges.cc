#include "oci/sandbox/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace runsc::oci {
namespace {

struct KeptCapability {
  int number;
  const char* reason;
};

// CAP_MKNOD is missing on purpose (no device nodes reach the host), and so is CAP_DAC_READ_SEARCH
// (CAP_DAC_OVERRIDE covers what it allows, but for opening files by handle).
constexpr KeptCapability kKept[] = {
    {CAP_CHOWN, "a file that a user of the container creates or gives away belongs to that user"},
    {CAP_DAC_OVERRIDE,
     "files of the container's users are opened on their behalf; the sentry checks their rights"},
    {CAP_FOWNER, "chmod, utimensat and sticky directories for files that other users own"},
    {CAP_FSETID, "set-user-id and set-group-id bits survive chown and writes as the sentry decided"},
};

bool capability_exists(int number) { return ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; }

}  // namespace

uint64_t kept_capabilities() {
  uint64_t set = 0;
  for (const KeptCapability& kept : kKept) set |= uint64_t{1} << kept.number;
  return set;
}

Expected<void> limit_process() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return fail_errno("setrlimit(RLIMIT_CORE)", kExitSandbox);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return fail_errno("getrlimit(RLIMIT_NOFILE)", kExitSandbox);
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return fail_errno("setrlimit(RLIMIT_NOFILE)", kExitSandbox);
  return {};
}

Expected<void> drop_privileges() {
  // Without CAP_SETGID the groups are those of an ordinary user already.
  if (::setgroups(0, nullptr) != 0 && errno != EPERM) return fail_errno("setgroups", kExitSandbox);
  const uint64_t kept = kept_capabilities();
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct now[2] = {};
  if (::syscall(SYS_capget, &header, now) != 0) return fail_errno("capget", kExitSandbox);
  const bool may_bound = (now[0].effective >> CAP_SETPCAP & 1) != 0;
  for (int number = 0; may_bound && capability_exists(number); ++number) {
    if ((kept >> number & 1) != 0) continue;
    if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) return fail_errno("PR_CAPBSET_DROP", kExitSandbox);
  }
  __user_cap_data_struct data[2] = {};
  for (unsigned word = 0; word < 2; ++word) {
    // An unprivileged caller keeps what it has of them.
    data[word].permitted = static_cast<uint32_t>(kept >> (32 * word)) & now[word].permitted;
    data[word].effective = data[word].permitted;
  }
  if (::syscall(SYS_capset, &header, data) != 0) return fail_errno("capset", kExitSandbox);
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("PR_SET_DUMPABLE", kExitSandbox);
  return {};
}

Expected<void> require_single_thread() {
  struct stat st {};
  if (::stat("/proc/self/task", &st) != 0) return fail_errno("/proc/self/task", kExitSandbox);
  // "." and ".." of the directory, and one entry a thread.
  if (st.st_nlink != 3) return fail("threads were started before the jail was closed", kExitSandbox);
  return {};
}

}  // namespace runsc::oci
