// Dentry: a name in the tree, and the cache of names. A cached dentry is found by (parent, name); its inode
// never changes: a name that comes or goes gets a new dentry and the old one is dropped from the cache.
#pragma once

#include "fs/inode.h"

namespace runsc::fs {

// Parents and names of dentries and the places of mounts change only under this lock (rename, mount), and are
// read under it (path names, "..").
SpinLock& names_lock();

class Dentry final : public RefCounted<Dentry> {
 public:
  // Not cached yet. `parent` null: the root of a file system or a nameless object. `inode` null: negative.
  // ENOMEM.
  static Result<Ref<Dentry>> create(Ref<Dentry> parent, std::string_view name, Ref<Inode> inode);
  ~Dentry();

  Inode* inode() const { return inode_.get(); }
  bool negative() const { return !inode_; }
  Ref<Dentry> parent() const;
  // Taken out of the tree by unlink, rmdir or a rename over it.
  bool removed() const { return removed_.load(std::memory_order_acquire); }

  // Under names_lock().
  Dentry* parent_locked() const { return parent_.get(); }
  std::string_view name_locked() const { return name_.view(); }

  std::atomic<uint32_t> mounts{0};  // mounts that stand on this dentry

  // RefCounted's hook. A chain of removed directories may be as deep as somebody had patience: each parent is
  // let go of after its child is gone, by a call in tail position.
  void last_ref();

 private:
  friend struct DentryCache;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Dentry(Ref<Dentry> parent, String name, Ref<Inode> inode);

  Ref<Dentry> parent_;
  String name_;
  const Ref<Inode> inode_;
  std::atomic<bool> removed_{false}, cached_{false}, used_{true};
  // The cache's, under the bucket's lock and the LRU list's lock.
  std::atomic<uint32_t> bucket_{0};
  Dentry *chain_next_ = nullptr, **chain_prev_ = nullptr;
  Dentry *lru_next_ = nullptr, *lru_prev_ = nullptr;
};

// The cache of names. Callers of all but find() hold the lock of the directory's inode.
Ref<Dentry> dcache_find(Dentry& parent, std::string_view name);  // null: not cached
// Caches a new dentry for the name, in place of an older one. ENOMEM.
Result<Ref<Dentry>> dcache_add(Dentry& parent, std::string_view name, Ref<Inode> inode);
// Something is being mounted on it: it must be found again though its inode is transient. No lock held.
void dcache_keep(Dentry& dentry);
// Out of the cache; `removed`: the name is gone from the file system too.
void dcache_drop(Dentry& dentry, bool removed);
// After a rename in the file system. ENOMEM leaves everything as it was.
Result<void> dcache_move(Dentry& dentry, Dentry& new_parent, std::string_view new_name);
Result<void> dcache_exchange(Dentry& a, Dentry& b);
// True if `dentry` is `ancestor` or stands below it.
bool is_below(Dentry& dentry, Dentry& ancestor);
size_t dcache_size();
// How many unused names the cache keeps at most; tests lower it.
void dcache_set_limit(size_t limit);
// Drops every unused name (low memory, unmount).
void dcache_shrink();
// Names in a file system that nobody mounts any more, as far as nobody uses them.
void dcache_forget_super(const SuperBlock& super);

}  // namespace runsc::fs
