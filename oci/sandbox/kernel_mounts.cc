#include "oci/sandbox/kernel_mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <vector>

#include "oci/host/file_io.h"

namespace runsc::oci {
namespace {

constexpr size_t kMaxMountInfo = size_t{64} << 20;

constexpr std::string_view kKernelTypes[] = {
    "autofs",   "binfmt_misc", "bpf",        "cgroup",    "cgroup2", "configfs", "debugfs", "devpts",
    "devtmpfs", "efivarfs",    "fusectl",    "mqueue",    "nsfs",    "nfsd",     "proc",    "pstore",
    "resctrl",  "rpc_pipefs",  "securityfs", "selinuxfs", "smackfs", "sysfs",    "tracefs",
};

// "\040" -> " ", as proc(5) writes mount points.
std::string unescape(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    unsigned code = 0;
    const bool escape = text.size() >= 4 && text[0] == '\\' &&
                        std::from_chars(text.data() + 1, text.data() + 4, code, 8).ptr == text.data() + 4;
    plain += escape ? static_cast<char>(code) : text[0];
    text.remove_prefix(escape ? 4 : 1);
  }
  return plain;
}

struct MountLine {
  std::string_view mount_point;  // still escaped
  std::string_view type;
};

// A line of /proc/self/mountinfo: the mount point is its fifth field, the type the first after " - ".
MountLine split(std::string_view line) {
  std::array<std::string_view, 5> fields;
  std::string_view rest = line;
  for (std::string_view& field : fields) {
    const size_t space = std::min(rest.find(' '), rest.size());
    field = rest.substr(0, space);
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  const size_t dash = rest.find(" - ");
  const std::string_view tail = dash == std::string_view::npos ? std::string_view() : rest.substr(dash + 3);
  return {fields[4], tail.substr(0, tail.find(' '))};
}

Expected<std::string> path_of(int fd) {
  char target[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
  if (length < 0 || length == sizeof target) return fail_errno(link, kExitSandbox);
  return std::string(target, static_cast<size_t>(length));
}

}  // namespace

bool is_kernel_file_system(std::string_view type) {
  return std::find(std::begin(kKernelTypes), std::end(kKernelTypes), type) != std::end(kKernelTypes);
}

Expected<void> detach_kernel_mounts(int root) {
  const std::string prefix = OCI_TRY(path_of(root)) + "/";
  const UniqueFd file(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("/proc/self/mountinfo", kExitSandbox);
  const std::string text = OCI_TRY(read_all(file.get(), kMaxMountInfo, "/proc/self/mountinfo"));
  std::string_view rest = text;
  for (size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    const MountLine line = split(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    if (!is_kernel_file_system(line.type)) continue;
    const std::string path = unescape(line.mount_point);
    const bool beneath_a_child =
        path.starts_with(prefix) && path.find('/', prefix.size()) != std::string::npos;
    if (!beneath_a_child) continue;
    // EINVAL: it went with the mount around it.
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT) {
      return fail_errno("cannot detach " + path, kExitSandbox);
    }
  }
  return {};
}

}  // namespace runsc::oci
