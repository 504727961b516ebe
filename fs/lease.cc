#include "fs/lease.h"

#include <algorithm>

#include "kernel/base/vec.h"

namespace runsc::fs {

namespace {

struct Lease {
  Inode* inode;
  File* file;
  LeaseType type;
  // What it is to become; `type`: nobody is in the way.
  LeaseType target;
  uint64_t deadline_ns;
  bool breaking() const { return target != type; }
};

// There are few: all of them stand in one list.
struct Registry : HeapObject {
  Mutex lock{LockRank::inode_child};
  Vec<Lease> leases GUARDED_BY(lock);
  WaitQueue changed;
};

constinit std::atomic<Registry*> g_registry{nullptr};
constinit std::atomic<uint32_t> g_count{0}, g_break_time{45};
constinit LeaseHooks g_hooks{};

Result<Registry*> registry() {
  if (Registry* there = g_registry.load(std::memory_order_acquire)) return there;
  Unique<Registry> fresh = make<Registry>();
  if (!fresh) return Errno::nomem;
  Registry* nobody = nullptr;
  if (!g_registry.compare_exchange_strong(nobody, fresh.get(), std::memory_order_acq_rel)) return nobody;
  return fresh.release();
}

void remove_locked(Registry& r, size_t i) REQUIRES(r.lock) {
  r.leases.erase(i);
  g_count.fetch_sub(1, std::memory_order_relaxed);
}

// Whose time is up loses it.
void expire_locked(Registry& r) REQUIRES(r.lock) {
  const uint64_t now = g_hooks.now_ns();
  for (size_t i = r.leases.size(); i-- > 0;) {
    Lease& l = r.leases[i];
    if (!l.breaking() || l.deadline_ns > now) continue;
    l.type = l.target;
    if (l.type == LeaseType::none) remove_locked(r, i);
    r.changed.wake_all();
  }
}

Lease* find_locked(Registry& r, const File& file) REQUIRES(r.lock) {
  for (Lease& l : r.leases)
    if (l.file == &file) return &l;
  return nullptr;
}

Result<void> change_locked(Registry& r, File& file, LeaseType type) REQUIRES(r.lock) {
  Lease* mine = find_locked(r, file);
  if (type == LeaseType::none) {
    if (!mine) return Errno::again;
    remove_locked(r, static_cast<size_t>(mine - r.leases.data()));
    return {};
  }
  for (const Lease& l : r.leases)
    if (l.inode == file.inode() && &l != mine && (type == LeaseType::write || l.target == LeaseType::none))
      return Errno::again;
  if (!mine) {
    TRY(r.leases.push_back({file.inode(), &file, type, type, 0}));
    g_count.fetch_add(1, std::memory_order_seq_cst);
    return {};
  }
  // Who was asked for all of it has not given way yet.
  const bool still = mine->breaking() && mine->target == LeaseType::none;
  mine->type = type;
  if (!still) mine->target = type;
  return {};
}

}  // namespace

void lease_init(const LeaseHooks& hooks) { g_hooks = hooks; }

std::atomic<uint32_t>& lease_break_time() { return g_break_time; }

WaitQueue* lease_queue() {
  Registry* r = g_registry.load(std::memory_order_acquire);
  return r ? &r->changed : nullptr;
}

Result<void> lease_set(File& file, LeaseType type, bool contended) {
  Registry& r = *TRY(registry());
  LockGuard guard(r.lock);
  expire_locked(r);
  if (type != LeaseType::none && contended) return Errno::again;
  TRY(change_locked(r, file, type));
  r.changed.wake_all();
  return {};
}

LeaseType lease_of(const File& file) {
  Registry* r = g_registry.load(std::memory_order_acquire);
  if (!r) return LeaseType::none;
  LockGuard guard(r->lock);
  expire_locked(*r);
  const Lease* mine = find_locked(*r, file);
  return mine ? mine->target : LeaseType::none;
}

void lease_drop(const File& file) {
  if (g_count.load(std::memory_order_relaxed) == 0) return;
  Registry& r = *g_registry.load(std::memory_order_acquire);
  LockGuard guard(r.lock);
  const Lease* mine = find_locked(r, file);
  if (!mine) return;
  remove_locked(r, static_cast<size_t>(mine - r.leases.data()));
  r.changed.wake_all();
}

Result<void> lease_break(Inode& inode, bool write) {
  if (g_count.load(std::memory_order_seq_cst) == 0) return {};
  constexpr uint64_t kSecond = 1'000'000'000;
  Registry& r = *g_registry.load(std::memory_order_acquire);
  const LeaseType target = write ? LeaseType::none : LeaseType::read;
  const uint64_t seconds = g_break_time.load(std::memory_order_relaxed);
  bool conflict = false;
  Vec<Ref<File>> told;
  {
    LockGuard guard(r.lock);
    expire_locked(r);
    for (Lease& l : r.leases) {
      if (l.inode != &inode || (!write && l.type != LeaseType::write)) continue;
      conflict = true;
      if (l.target == LeaseType::none || (l.breaking() && !write)) continue;
      if (l.file->try_ref()) TRY(told.push_back(Ref<File>::adopt(l.file)));
      l.target = target;
      l.deadline_ns = seconds ? g_hooks.now_ns() + seconds * kSecond : ~uint64_t{0};
    }
  }
  for (Ref<File>& file : told) g_hooks.broken(*file);
  return conflict ? Result<void>(Errno::again) : Result<void>();
}

bool lease_deadline(uint64_t& deadline_ns) {
  Registry* r = g_registry.load(std::memory_order_acquire);
  if (!r) return false;
  LockGuard guard(r->lock);
  bool any = false;
  deadline_ns = ~uint64_t{0};
  for (const Lease& l : r->leases)
    if (l.breaking()) any = true, deadline_ns = std::min(deadline_ns, l.deadline_ns);
  return any;
}

}  // namespace runsc::fs
