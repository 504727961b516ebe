#include "shim/host/mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "oci/host/unique_fd.h"

namespace runsc::shim {
namespace {

constexpr size_t kMaxData = 4095;

struct Word {
  std::string_view name;
  unsigned long set = 0;
  unsigned long clear = 0;
  unsigned long propagation = 0;
};

constexpr Word kWords[] = {
    {"ro", MS_RDONLY},
    {"rw", 0, MS_RDONLY},
    {"bind", MS_BIND},
    {"rbind", MS_BIND | MS_REC},
    {"nosuid", MS_NOSUID},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC},
    {"exec", 0, MS_NOEXEC},
    {"sync", MS_SYNCHRONOUS},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC},
    {"remount", MS_REMOUNT},
    {"mand", MS_MANDLOCK},
    {"nomand", 0, MS_MANDLOCK},
    {"noatime", MS_NOATIME},
    {"atime", 0, MS_NOATIME},
    {"nodiratime", MS_NODIRATIME},
    {"diratime", 0, MS_NODIRATIME},
    {"relatime", MS_RELATIME},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME},
    {"nostrictatime", 0, MS_STRICTATIME},
    {"private", 0, 0, MS_PRIVATE},
    {"rprivate", 0, 0, MS_PRIVATE | MS_REC},
    {"shared", 0, 0, MS_SHARED},
    {"rshared", 0, 0, MS_SHARED | MS_REC},
    {"slave", 0, 0, MS_SLAVE},
    {"rslave", 0, 0, MS_SLAVE | MS_REC},
    {"unbindable", 0, 0, MS_UNBINDABLE},
    {"runbindable", 0, 0, MS_UNBINDABLE | MS_REC},
    {"defaults"},
};

// mount(2) from within `folder`: in a child, for the working directory is the whole process's.
int mount_within(const std::string& folder, const MountSpec& mount, const std::string& target,
                 unsigned long flags, const std::string& data) {
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) {
    if (::chdir(folder.c_str()) != 0) ::_exit(errno & 0xff);
    if (::mount(mount.source.c_str(), target.c_str(), mount.type.c_str(), flags, data.c_str()) != 0) {
      ::_exit(errno & 0xff);
    }
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

int mount_data(const MountSpec& mount, const std::string& target, const MountArguments& arguments) {
  if (arguments.data.size() > kMaxData && mount.type == "overlay") {
    const ShortOptions shorter = shorten_overlay(arguments.data);
    if (!shorter.folder.empty() && shorter.data.size() <= kMaxData) {
      return mount_within(shorter.folder, mount, target, arguments.flags, shorter.data);
    }
  }
  if (arguments.data.size() > kMaxData) return E2BIG;
  const int failed = ::mount(mount.source.c_str(), target.c_str(), mount.type.c_str(), arguments.flags,
                             arguments.data.c_str());
  return failed == 0 ? 0 : errno;
}

// What is at `name` beneath `root` now, as a path to it that no link can lead astray while `fd` is open.
struct Place {
  oci::UniqueFd fd;
  std::string path;
};

oci::Expected<Place> find_place(const std::string& root, const std::string& name) {
  if (name.empty() || name == "/") return Place{oci::UniqueFd(), root};
  const oci::UniqueFd top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return oci::fail_errno(root);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  oci::UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, top.get(), name.c_str(), &how, sizeof how)));
  if (!fd) return oci::fail_errno("mount at " + name + " in " + root);
  std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  return Place{std::move(fd), std::move(path)};
}

oci::Expected<void> mount_one(const MountSpec& mount, const std::string& root) {
  Place place = OCI_TRY(find_place(root, mount.target));
  const std::string target = place.path;
  const MountArguments arguments = mount_arguments(mount.options);
  const std::string what = "mount " + mount.source + " (" + mount.type + ") at " + root + mount.target;
  if (std::find(mount.options.begin(), mount.options.end(), "loop") != mount.options.end()) {
    return oci::fail(what + ": loop devices are not set up here, use another snapshotter");
  }
  if (const int error = mount_data(mount, target, arguments); error != 0) {
    return oci::fail(oci::with_errno(what, error));
  }
  // What lies on top now.
  place = OCI_TRY(find_place(root, mount.target));
  // A bind mount takes its own flags only when it is mounted anew.
  const unsigned long restrictions = arguments.flags & ~(MS_BIND | MS_REC);
  if ((arguments.flags & MS_BIND) != 0 && restrictions != 0 &&
      ::mount("", place.path.c_str(), "", MS_BIND | MS_REMOUNT | restrictions, nullptr) != 0) {
    return oci::fail_errno(what + ": remount");
  }
  if (arguments.propagation != 0 &&
      ::mount("", place.path.c_str(), "", arguments.propagation, nullptr) != 0) {
    return oci::fail_errno(what + ": propagation");
  }
  return {};
}

}  // namespace

MountArguments mount_arguments(const std::vector<std::string>& options) {
  MountArguments arguments;
  for (const std::string& option : options) {
    const auto word = std::find_if(std::begin(kWords), std::end(kWords),
                                   [&](const Word& candidate) { return candidate.name == option; });
    if (word != std::end(kWords)) {
      arguments.flags = (arguments.flags & ~word->clear) | word->set;
      arguments.propagation |= word->propagation;
      continue;
    }
    if (!arguments.data.empty()) arguments.data += ',';
    arguments.data += option;
  }
  return arguments;
}

ShortOptions shorten_overlay(const std::string& data) {
  constexpr std::string_view kKey = "lowerdir=";
  const size_t begin = data.starts_with(kKey) ? 0 : data.find(",lowerdir=");
  if (begin == std::string::npos) return {};
  const size_t value = begin + kKey.size() + (begin == 0 ? 0 : 1);
  const size_t end = std::min(data.find(',', value), data.size());
  std::vector<std::string> layers;
  for (size_t at = value; at <= end;) {
    const size_t colon = std::min(data.find(':', at), end);
    layers.push_back(data.substr(at, colon - at));
    at = colon + 1;
  }
  // The longest folder that all begin with.
  std::string folder = layers.front().substr(0, layers.front().rfind('/') + 1);
  for (const std::string& layer : layers) {
    while (!folder.empty() && !layer.starts_with(folder)) {
      folder.pop_back();
      folder.resize(folder.rfind('/') + 1);
    }
  }
  if (folder.size() <= 1) return {};
  ShortOptions shorter;
  shorter.folder = folder;
  shorter.data = data.substr(0, value);
  for (size_t i = 0; i < layers.size(); ++i) {
    if (i > 0) shorter.data += ':';
    shorter.data += layers[i].substr(folder.size());
  }
  shorter.data += data.substr(end);
  return shorter;
}

oci::Expected<void> mount_all(const std::vector<MountSpec>& mounts, const std::string& target) {
  for (const MountSpec& mount : mounts) {
    oci::Expected<void> mounted = mount_one(mount, target);
    if (!mounted) {
      unmount_all(target);
      return mounted;
    }
  }
  return {};
}

void unmount_all(const std::string& target) {
  constexpr int kMaxMounts = 256;
  for (int i = 0; i < kMaxMounts; ++i) {
    if (::umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return;
  }
}

}  // namespace runsc::shim
