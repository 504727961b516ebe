// Walker: one path resolution in progress. walk(), open and the operations on names stand on it.
#pragma once

#include "fs/mount.h"

namespace runsc::fs {

class Walker {
 public:
  static constexpr unsigned kMaxLinks = 40;  // path_resolution(7)
  static constexpr size_t kMaxName = 255, kMaxPath = 4096;

  Walker(const WalkContext& context, uint32_t flags) : context_(context), flags_(flags) {}

  // Where the path starts. ENOENT for "", ENAMETOOLONG.
  Result<void> begin(const Path& start, std::string_view path);
  // Walks up to the last component, which is not looked at: last() and kind() tell it, at() is its directory.
  Result<void> to_parent();
  // The last component, looked up in at(), which has been entered. Negative dentries are a success.
  Result<Ref<Dentry>> lookup_last();
  // `link` was found as the last component: goes on with its target. After a jump (magic link) jumped() is
  // true and at() is the end of the walk; else call to_parent() again.
  Result<void> follow(const Ref<Dentry>& link);
  // Moves to `dentry`, found in at(), and into what is mounted there. EXDEV.
  Result<void> descend(Ref<Dentry> dentry);
  // Applies "." / ".." / root as the last component.
  Result<void> finish_special();

  const Path& at() const { return at_; }
  Path take() { return std::move(at_); }
  std::string_view last() const { return last_; }
  LastKind kind() const { return kind_; }
  bool trailing_slash() const { return trailing_slash_; }
  bool jumped() const { return jumped_; }
  const WalkContext& context() const { return context_; }

 private:
  struct Level {  // what remains of a path, innermost link last
    String owner;
    std::string_view rest;
  };
  Result<bool> next_component();  // false: no more
  bool more_after() const;
  Result<Ref<Dentry>> child(std::string_view name) const;
  Result<void> step();
  Result<void> go_up();
  Result<void> restart_at_root();

  const WalkContext& context_;
  const uint32_t flags_;
  Path at_, root_, start_;
  Vec<Level> levels_;
  std::string_view component_, last_;
  LastKind kind_ = LastKind::root;
  bool trailing_slash_ = false, jumped_ = false;
  unsigned links_ = 0;
};

// `name` in the directory `at`, with mounts not entered; from the cache or the file system. Negative dentries
// are a success. EACCES is not checked here.
Result<Ref<Dentry>> lookup_child(const Path& at, std::string_view name);
// The same without asking the file system: EAGAIN if the cache does not tell.
Result<Ref<Dentry>> lookup_cached(const Path& at, std::string_view name);
// The same for callers that hold the lock of the directory's inode.
Result<Ref<Dentry>> lookup_child_locked(Dentry& directory, std::string_view name);

// A directory was removed: the names that are known not to be in it keep it no longer. Looks at the whole
// cache.
void dcache_forget_children(Dentry& directory);

}  // namespace runsc::fs
