#include "oci/sandbox/host_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "oci/sandbox/kernel_mounts.h"

namespace runsc::oci {
namespace {

constexpr unsigned kHarmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

// Nothing in this namespace is ever executed, no device opened: set-user-id and executable files are the
// sentry's to interpret.
int set_attributes(int tree, bool read_only, unsigned flags) {
  mount_attr attributes{};
  attributes.propagation = MS_PRIVATE;  // a copy is of the peer group of its original otherwise
  attributes.attr_set = kHarmless | (read_only ? MOUNT_ATTR_RDONLY : 0);
  return ::mount_setattr(tree, "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes);
}

Expected<UniqueFd> copy_mount(const HostSource& source) {
  const unsigned flags =
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (source.recursive ? unsigned{AT_RECURSIVE} : 0);
  UniqueFd tree(::open_tree(AT_FDCWD, source.path.c_str(), flags));
  if (!tree) return fail_errno(source.field + ": " + source.path);
  struct stat st {};
  if (::fstat(tree.get(), &st) != 0) return fail_errno(source.field + ": " + source.path);
  if (source.must_be_directory && !S_ISDIR(st.st_mode)) {
    return fail(source.field + ": " + source.path + ": " + "is not a directory");
  }
  if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
    return fail(source.field + ": " + source.path + ": is a device, devices are not passed into the sandbox");
  }
  if (set_attributes(tree.get(), source.read_only, source.recursive ? unsigned{AT_RECURSIVE} : 0) != 0) {
    return fail_errno(source.field + ": " + source.path + ": mount_setattr", kExitSandbox);
  }
  return tree;
}

// `directory` is of the mount namespace that the process was started in: finds the same one in its own.
Expected<void> go_to(int directory) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(directory);
  const ssize_t length = ::readlink(link.c_str(), path, sizeof path - 1);
  if (length < 0) return fail_errno(link, kExitSandbox);
  path[length] = '\0';
  struct stat wanted {
  }, found{};
  if (::chdir(path) != 0 || ::fstat(directory, &wanted) != 0 || ::stat(".", &found) != 0)
    return fail_errno(path, kExitSandbox);
  if (wanted.st_dev != found.st_dev || wanted.st_ino != found.st_ino)
    return fail(std::string(path) + ": is another directory in the sandbox's mount namespace", kExitSandbox);
  return {};
}

// Over the working directory.
Expected<UniqueFd> mount_empty_root() {
  const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context) return fail_errno("fsopen(tmpfs)", kExitSandbox);
  if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", "0700", 0) != 0 ||
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return fail_errno("cannot make the sandbox's root", kExitSandbox);
  }
  UniqueFd root(::fsmount(context.get(), FSMOUNT_CLOEXEC, kHarmless));
  if (!root) return fail_errno("cannot mount the sandbox's root", kExitSandbox);
  if (::move_mount(root.get(), "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return fail_errno("cannot attach the sandbox's root", kExitSandbox);
  }
  return root;
}

}  // namespace

Expected<void> HostTree::attach(size_t index, const HostSource& source, int tree) {
  const std::string name = std::to_string(index);
  struct stat st {};
  if (::fstat(tree, &st) != 0) return fail_errno(source.field);
  if (S_ISDIR(st.st_mode)) {
    if (::mkdirat(root_.get(), name.c_str(), 0700) != 0) return fail_errno("mkdir", kExitSandbox);
  } else if (::mknodat(root_.get(), name.c_str(), S_IFREG | 0600, 0) != 0) {
    return fail_errno("mknod", kExitSandbox);
  }
  if (::move_mount(tree, "", root_.get(), name.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return fail_errno(source.field + ": " + source.path + ": cannot attach", kExitSandbox);
  }
  return {};
}

Expected<void> HostTree::open_source(const HostSource& source, int tree) {
  struct stat st {};
  if (::fstat(tree, &st) != 0) return fail_errno(source.field);
  if (S_ISDIR(st.st_mode)) {
    opened_.emplace_back(::openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  } else if (S_ISREG(st.st_mode)) {
    // The descriptor itself, not a name that could have been replaced.
    const std::string self = "/proc/self/fd/" + std::to_string(tree);
    const int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = source.read_only ? -1 : ::open(self.c_str(), O_RDWR | flags);
    if (fd < 0) fd = ::open(self.c_str(), O_RDONLY | flags);
    opened_.emplace_back(fd);
  } else {
    opened_.emplace_back(::fcntl(tree, F_DUPFD_CLOEXEC, 0));
  }
  if (!opened_.back()) return fail_errno(source.field + ": " + source.path);
  return {};
}

Expected<void> HostTree::make_namespace() {
  if (::unshare(CLONE_NEWNS) != 0) return fail_errno("cannot make a mount namespace", kExitSandbox);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return fail_errno("cannot detach from the host's mounts", kExitSandbox);
  }
  return {};
}

Expected<HostTree> HostTree::build(const std::vector<HostSource>& sources, int mount_point) {
  std::vector<UniqueFd> trees;
  bool any_recursive = false;
  for (const HostSource& source : sources) {
    trees.push_back(OCI_TRY(copy_mount(source)));
    any_recursive = any_recursive || source.recursive;
  }
  OCI_TRY_VOID(go_to(mount_point));
  HostTree tree(OCI_TRY(mount_empty_root()));
  for (size_t i = 0; i < sources.size(); ++i) OCI_TRY_VOID(tree.attach(i, sources[i], trees[i].get()));
  if (any_recursive) OCI_TRY_VOID(detach_kernel_mounts(tree.root_.get()));
  for (size_t i = 0; i < sources.size(); ++i) OCI_TRY_VOID(tree.open_source(sources[i], trees[i].get()));
  if (set_attributes(tree.root_.get(), true, 0) != 0) return fail_errno("mount_setattr", kExitSandbox);
  return tree;
}

Expected<void> HostTree::enter() {
  // pivot_root(".", ".") stacks the old root over the new one: pivot_root(2).
  if (::fchdir(root_.get()) != 0) return fail_errno("fchdir", kExitSandbox);
  if (::syscall(SYS_pivot_root, ".", ".") != 0) {
    return fail_errno("cannot pivot into the sandbox's root (is the host's root an initramfs?)",
                      kExitSandbox);
  }
  if (::umount2(".", MNT_DETACH) != 0) return fail_errno("cannot let go of the host's root", kExitSandbox);
  if (::chdir("/") != 0) return fail_errno("chdir", kExitSandbox);
  root_.reset();
  return {};
}

}  // namespace runsc::oci
