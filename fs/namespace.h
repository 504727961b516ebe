// Dentries, mounts, and walking paths (path_resolution(7)).
#pragma once

#include "fs/credentials.h"
#include "fs/inode.h"

namespace runsc::fs {

// Where a task stands: root, cwd, umask (CLONE_FS shares it). Locked inside.
class FsContext final : public RefCounted<FsContext> {
 public:
  FsContext(Path root, Path cwd, uint32_t umask)
      : root_(std::move(root)), cwd_(std::move(cwd)), umask_(umask) {}
  Path root() const;
  Path cwd() const;
  void set_root(Path p);
  void set_cwd(Path p);
  uint32_t umask() const { return umask_.load(std::memory_order_relaxed); }
  uint32_t set_umask(uint32_t mask) { return umask_.exchange(mask & 0777, std::memory_order_relaxed); }
  Result<Ref<FsContext>> clone() const;

 private:
  mutable SpinLock lock_{LockRank::fs_context};
  Path root_ GUARDED_BY(lock_), cwd_ GUARDED_BY(lock_);
  std::atomic<uint32_t> umask_;
};

// How to walk.
inline constexpr uint32_t kFollow = 1,  // follow a symbolic link in the last component
    kEmptyPath = 2,                     // AT_EMPTY_PATH: "" is `start`
    kDirectoryOnly = 4,                 // ENOTDIR unless a directory
    kNoXdev = 8, kNoMagicLinks = 16, kNoSymlinks = 32, kBeneath = 64, kInRoot = 128,
                          kCachedOnly = 256;  // RESOLVE_* of openat2(2)

// Everything a walk needs to know of the caller.
struct WalkContext {
  FsContext& fs;
  const Credentials& creds;
};

// `start` is where relative paths begin (cwd or a dirfd's path). ENOENT, ENOTDIR, ELOOP, EACCES,
// ENAMETOOLONG...
Result<Path> walk(const WalkContext& context, const Path& start, std::string_view path, uint32_t flags);

// The directory that holds (or will hold) the last component, and that component ("." / ".." / "" possible as
// the last kind says). The directory's inode is not locked.
enum class LastKind : uint8_t { normal, dot, dotdot, root };
struct ParentPath {
  Path directory;
  String name;
  LastKind kind = LastKind::normal;
  bool trailing_slash = false;
};
Result<ParentPath> walk_parent(const WalkContext& context, const Path& start, std::string_view path,
                               uint32_t flags);

// The operations behind the system calls, with all checks: permissions, mount flags, sticky bits, names.
Result<Ref<File>> open_path(const WalkContext& context, const Path& start, std::string_view path,
                            uint32_t flags, uint32_t mode, uint32_t walk_flags = 0);
// Opens what a Path already names (procfs fd links, exec).
Result<Ref<File>> open_existing(const WalkContext& context, const Path& path, uint32_t flags);
// mknod(2); the place of the new node.
Result<Path> make_node(const WalkContext& context, const Path& start, std::string_view path, uint32_t mode,
                       uint64_t rdev);
Result<void> make_dir(const WalkContext& context, const Path& start, std::string_view path, uint32_t mode);
Result<void> make_symlink(const WalkContext& context, std::string_view target, const Path& start,
                          std::string_view path);
Result<void> make_link(const WalkContext& context, const Path& old_path, const Path& start,
                       std::string_view path);
Result<void> remove(const WalkContext& context, const Path& start, std::string_view path, bool directory);
Result<void> rename(const WalkContext& context, const Path& old_start, std::string_view old_path,
                    const Path& new_start, std::string_view new_path, uint32_t flags);
Result<void> change_attr(const WalkContext& context, const Path& path,
                         const SetAttr& attr);  // chmod, chown, utimens, truncate rules
// The same through an open file (fchmod, fchown, futimens); ftruncate checks the descriptor itself.
Result<void> change_attr(const WalkContext& context, File& file, const SetAttr& attr);
// A write by somebody without CAP_FSETID takes the set-user-ID and set-group-ID bits of a program away.
void drop_set_id(const Credentials& creds, File& file);
// Owner and mode of a node to be made in `dir`: umask, set-group-ID directories.
Result<NewNode> new_node(const WalkContext& context, const Path& dir, uint32_t mode);
inline constexpr uint32_t kExec = 1, kWrite = 2, kRead = 4;
// EACCES/EROFS by mode bits and capabilities.
Result<void> check_access(const Credentials& creds, const Path& path, uint32_t access);
Result<void> check_access(const Credentials& creds, const Attr& attr, uint32_t access);
// What capabilities give where the mode or the list does not. EACCES.
Result<void> check_capabilities(const Credentials& creds, const Attr& attr, uint32_t access);

// The path as seen from `root`, "/" first, " (deleted)" suffix when removed. From outside of `root`: the way
// from the root of its tree, marked with "(unreachable)" for getcwd(2). ENOMEM.
enum class Unreachable : uint8_t { marked, plain };
Result<String> path_name(const Path& path, const Path& root, Unreachable how = Unreachable::marked);

// Mounts.
inline constexpr uint64_t kMsRdonly = 1, kMsNosuid = 2, kMsNodev = 4, kMsNoexec = 8, kMsNoatime = 1024,
                          kMsBind = 4096, kMsRec = 16384;
// Also on the places to which `target` propagates. ENOENT, ENOTDIR, ENOMEM.
Result<void> mount_on(const Path& target, Ref<SuperBlock> super, Ref<Inode> root_inode, uint64_t flags,
                      std::string_view source, uint32_t locks = 0);
// EINVAL for what is unbindable or in another tree.
Result<void> bind_mount(const Path& source, const Path& target, uint64_t flags, bool recursive);
// umount2(2): and from where it propagated to. EBUSY, EINVAL.
Result<void> unmount(const Path& target, uint32_t flags);
// A path for an object without a name (a pipe), so that magic links of procfs can lead to it: no mount, a
// dentry of its own. ENOMEM.
Result<Path> anonymous_path(Ref<Inode> inode, std::string_view name);
Path mount_root_path(const Ref<Mount>& mount);
Inode& inode_of(const Path& path);
uint64_t mount_flags(const Path& path);

}  // namespace runsc::fs
