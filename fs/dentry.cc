#include "fs/dentry.h"

#include "fs/notify.h"
#include "fs/path_walk.h"
#include "kernel/base/check.h"

namespace runsc::fs {

namespace {

constexpr size_t kBuckets = 8192;
constexpr size_t kScan = 16;  // candidates looked at for each name added

constinit SpinLock names{LockRank::dcache};

}  // namespace

SpinLock& names_lock() { return names; }

Dentry::Dentry(Ref<Dentry> parent, String name, Ref<Inode> inode)
    : parent_(std::move(parent)), name_(std::move(name)), inode_(std::move(inode)) {}

Dentry::~Dentry() { DCHECK(!cached_.load(std::memory_order_relaxed), "a cached dentry dies"); }

// An optimised build turns the last call into a jump: the depth of the chain costs no stack.
void Dentry::last_ref() {
  if (inode_ && removed()) notify_ended(*inode_);
  Dentry* parent = parent_.leak();
  delete this;
  if (parent) parent->unref();
}

Result<Ref<Dentry>> Dentry::create(Ref<Dentry> parent, std::string_view name, Ref<Inode> inode) {
  String owned = TRY(String::from(name));
  Ref<Dentry> d = make_ref<Dentry>(std::move(parent), std::move(owned), std::move(inode));
  if (!d) return Errno::nomem;
  return d;
}

Ref<Dentry> Dentry::parent() const {
  LockGuard guard(names);
  return parent_;
}

// The table of names. A cached dentry carries one count for the cache; "unused" means that no other exists.
// Counts of cached dentries rise from one only under their bucket's lock (find) or through the LRU list's
// lock (eviction), which is what makes the eviction's last look at the count valid.
struct DentryCache {
  struct Bucket {
    SpinLock lock{LockRank::dcache};
    Dentry* first GUARDED_BY(lock) = nullptr;
  };
  static Bucket buckets[kBuckets];
  static SpinLock lru_lock;
  static Dentry *youngest, *oldest;  // under lru_lock
  static std::atomic<size_t> count, limit;

  static uint32_t bucket_of(const Dentry* parent, std::string_view name) {
    auto p = reinterpret_cast<uintptr_t>(parent);
    uint32_t h =
        hash_bytes(name, 2166136261u ^ static_cast<uint32_t>(p >> 4) ^ static_cast<uint32_t>(p >> 32));
    return (h ^ h >> 15) % kBuckets;
  }

  static Ref<Dentry> find(Dentry& parent, std::string_view name) {
    Bucket& b = buckets[bucket_of(&parent, name)];
    LockGuard guard(b.lock);
    for (Dentry* d = b.first; d; d = d->chain_next_)
      if (d->parent_.get() == &parent && d->name_.view() == name) {
        d->used_.store(true, std::memory_order_relaxed);
        return Ref<Dentry>(*d);
      }
    return {};
  }

  static void hash(Dentry& d) {
    uint32_t index = bucket_of(d.parent_.get(), d.name_.view());
    Bucket& b = buckets[index];
    LockGuard guard(b.lock);
    d.bucket_.store(index, std::memory_order_relaxed);
    d.chain_next_ = b.first;
    d.chain_prev_ = &b.first;
    if (b.first) b.first->chain_prev_ = &d.chain_next_;
    b.first = &d;
    d.cached_.store(true, std::memory_order_release);
  }

  // False: it was not there. `sole`: only if nobody but the cache and the caller counts.
  static bool unhash(Dentry& d, bool sole) {
    while (d.cached_.load(std::memory_order_acquire)) {
      uint32_t index = d.bucket_.load(std::memory_order_relaxed);
      Bucket& b = buckets[index];
      LockGuard guard(b.lock);
      if (!d.cached_.load(std::memory_order_relaxed)) return false;
      if (d.bucket_.load(std::memory_order_relaxed) != index) continue;  // moved meanwhile
      if (sole && d.ref_count() != 2) return false;
      *d.chain_prev_ = d.chain_next_;
      if (d.chain_next_) d.chain_next_->chain_prev_ = d.chain_prev_;
      d.cached_.store(false, std::memory_order_release);
      return true;
    }
    return false;
  }

  static void lru_push(Dentry& d) REQUIRES(lru_lock) {
    d.lru_prev_ = nullptr;
    d.lru_next_ = youngest;
    (youngest ? youngest->lru_prev_ : oldest) = &d;
    youngest = &d;
  }
  static void lru_take(Dentry& d) REQUIRES(lru_lock) {
    (d.lru_prev_ ? d.lru_prev_->lru_next_ : youngest) = d.lru_next_;
    (d.lru_next_ ? d.lru_next_->lru_prev_ : oldest) = d.lru_prev_;
  }

  // A count of `d` passes to the cache.
  static void insert(Dentry& d) {
    d.ref();
    {
      LockGuard guard(lru_lock);
      lru_push(d);
    }
    hash(d);
    count.fetch_add(1, std::memory_order_relaxed);
  }

  static void keep(Dentry& d) {
    if (d.inode_ && d.inode_->transient() && d.parent() && !d.cached_.load(std::memory_order_acquire))
      insert(d);
  }

  static void forget(Dentry& d) {
    {
      LockGuard guard(lru_lock);
      lru_take(d);
    }
    count.fetch_sub(1, std::memory_order_relaxed);
    d.unref();
  }

  // The oldest name, moved to the young end; counted.
  static Ref<Dentry> next_candidate() {
    LockGuard guard(lru_lock);
    Dentry* d = oldest;
    if (!d) return {};
    lru_take(*d);
    lru_push(*d);
    return Ref<Dentry>(*d);
  }

  static bool try_evict(Dentry& d, bool even_used) {
    if (d.ref_count() != 2) return false;  // the cache's and ours
    if (d.used_.exchange(false, std::memory_order_relaxed) && !even_used) return false;
    if (!unhash(d, true)) return false;
    forget(d);
    return true;
  }

  static void shrink_to_limit() {
    for (size_t i = 0;
         i < kScan && count.load(std::memory_order_relaxed) > limit.load(std::memory_order_relaxed); ++i) {
      Ref<Dentry> d = next_candidate();
      if (!d) return;
      try_evict(*d, false);
    }
  }

  static void drop(Dentry& d, bool removed) {
    if (removed) d.removed_.store(true, std::memory_order_release);
    if (unhash(d, false)) forget(d);
  }

  // Name and parent of an uncached dentry.
  static void rename(Dentry& d, Ref<Dentry>& parent, String& name) {
    LockGuard guard(names);
    std::swap(d.parent_, parent);
    std::swap(d.name_, name);
  }
};

constinit DentryCache::Bucket DentryCache::buckets[kBuckets] = {};
constinit SpinLock DentryCache::lru_lock{LockRank::dcache};
constinit Dentry* DentryCache::youngest = nullptr;
constinit Dentry* DentryCache::oldest = nullptr;
constinit std::atomic<size_t> DentryCache::count{0};
constinit std::atomic<size_t> DentryCache::limit{16384};

Ref<Dentry> SuperBlock::root_dentry() { return {}; }

Ref<Dentry> dcache_find(Dentry& parent, std::string_view name) { return DentryCache::find(parent, name); }

Result<Ref<Dentry>> dcache_add(Dentry& parent, std::string_view name, Ref<Inode> inode) {
  Ref<Dentry> fresh = TRY(Dentry::create(Ref<Dentry>(parent), name, std::move(inode)));
  if (Ref<Dentry> old = DentryCache::find(parent, name)) DentryCache::drop(*old, false);
  DentryCache::insert(*fresh);
  DentryCache::shrink_to_limit();
  return fresh;
}

void dcache_keep(Dentry& dentry) { DentryCache::keep(dentry); }

void dcache_drop(Dentry& dentry, bool removed) { DentryCache::drop(dentry, removed); }

Result<void> dcache_move(Dentry& dentry, Dentry& new_parent, std::string_view new_name) {
  String name = TRY(String::from(new_name));
  if (Ref<Dentry> old = DentryCache::find(new_parent, new_name); old && old.get() != &dentry)
    DentryCache::drop(*old, false);
  Ref<Dentry> parent(new_parent);
  bool cached = DentryCache::unhash(dentry, false);
  DentryCache::rename(dentry, parent, name);
  if (cached) DentryCache::hash(dentry);
  return {};
}

Result<void> dcache_exchange(Dentry& a, Dentry& b) {
  String a_name, b_name;
  Ref<Dentry> a_parent, b_parent;
  {
    // Directory locks of both are held: the names stand still while they are copied.
    a_parent = a.parent();
    b_parent = b.parent();
    a_name = TRY(String::from(a.name_locked()));
    b_name = TRY(String::from(b.name_locked()));
  }
  bool a_cached = DentryCache::unhash(a, false), b_cached = DentryCache::unhash(b, false);
  DentryCache::rename(a, b_parent, b_name);
  DentryCache::rename(b, a_parent, a_name);
  if (a_cached) DentryCache::hash(a);
  if (b_cached) DentryCache::hash(b);
  return {};
}

bool is_below(Dentry& dentry, Dentry& ancestor) {
  LockGuard guard(names);
  for (Dentry* d = &dentry; d; d = d->parent_locked())
    if (d == &ancestor) return true;
  return false;
}

size_t dcache_size() { return DentryCache::count.load(std::memory_order_relaxed); }

void dcache_set_limit(size_t limit) { DentryCache::limit.store(limit, std::memory_order_relaxed); }

void dcache_shrink() {
  // Children first become unused, then their parents: rounds until one frees nothing. Others make new names
  // meanwhile, so not for ever; what lies deeper goes another time.
  constexpr int kRounds = 16;
  for (int round = 0; round < kRounds; ++round) {
    size_t freed = 0;
    for (size_t n = dcache_size(); n > 0; --n) {
      Ref<Dentry> d = DentryCache::next_candidate();
      if (!d) return;
      if (DentryCache::try_evict(*d, true)) ++freed;
    }
    if (freed == 0) return;
  }
}

void dcache_forget_super(const SuperBlock& super) {
  for (size_t n = dcache_size(); n > 0; --n) {
    Ref<Dentry> d = DentryCache::next_candidate();
    if (!d) return;
    Ref<Dentry> parent = d->parent();
    if (!parent || &parent->inode()->super() != &super) continue;
    // With the last name in it a directory becomes unused itself.
    while (DentryCache::try_evict(*d, true) && parent) {
      d = std::move(parent);
      parent = d->parent();
    }
  }
}

void dcache_forget_children(Dentry& directory) {
  for (size_t n = dcache_size(); n > 0; --n) {
    Ref<Dentry> d = DentryCache::next_candidate();
    if (!d) return;
    if (d->parent().get() == &directory) DentryCache::drop(*d, false);
  }
}

}  // namespace runsc::fs
