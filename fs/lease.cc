#include "fs/lease.h"

#include <algorithm>

#include "fs/tmpfs/tmpfs_dir.h"
#include "fs/write_access.h"
#include "kernel/base/vec.h"

namespace runsc::fs {

namespace {

struct Lease {
  File* file;
  LeaseType type;
  // What it is to become; `type`: nobody is in the way.
  LeaseType target;
  uint64_t deadline_ns;
  bool breaking() const { return target != type; }
};

// Guards the list of files with leases that must give way.
constinit SpinLock g_breaking_lock{LockRank::leaf};

// The leases of a file, kept at its inode from the first one on.
struct Leases final : InodeAttachment {
  static constexpr uint64_t kNever = ~uint64_t{0};
  Mutex lock{LockRank::inode_child};
  Vec<Lease> held GUARDED_BY(lock);
  // When the first of them ends that must give way; kNever: none must.
  uint64_t deadline_ns GUARDED_BY(g_breaking_lock) = kNever;
  Leases *next_breaking = nullptr, **previous = nullptr;  // null: not in the list

  ~Leases() override { show_deadline(false, kNever); }
  void show_deadline(bool breaking, uint64_t deadline);
};

constinit Leases* g_breaking GUARDED_BY(g_breaking_lock) = nullptr;

constinit std::atomic<WaitQueue*> g_changed{nullptr};
constinit std::atomic<uint32_t> g_count{0}, g_break_time{45};
constinit LeaseHooks g_hooks{};

void Leases::show_deadline(bool breaking, uint64_t deadline) {
  LockGuard guard(g_breaking_lock);
  deadline_ns = deadline;
  if (breaking == (previous != nullptr)) return;
  if (breaking) {
    next_breaking = g_breaking;
    if (g_breaking) g_breaking->previous = &next_breaking;
    previous = &g_breaking;
    g_breaking = this;
  } else {
    *previous = next_breaking;
    if (next_breaking) next_breaking->previous = previous;
    previous = nullptr;
  }
}

Result<void> make_queue() {
  struct Queue : HeapObject {
    WaitQueue queue;
  };
  if (g_changed.load(std::memory_order_acquire)) return {};
  Unique<Queue> fresh = make<Queue>();
  if (!fresh) return Errno::nomem;
  WaitQueue* nobody = nullptr;
  if (g_changed.compare_exchange_strong(nobody, &fresh->queue, std::memory_order_acq_rel))
    (void)fresh.release();
  return {};
}

Ref<Leases> leases_at(const Inode& inode) {
  Ref<InodeAttachment> there = inode.attachment(AttachmentKind::leases);
  return Ref<Leases>::adopt(static_cast<Leases*>(there.leak()));
}

Result<Ref<Leases>> make_leases_at(Inode& inode) {
  if (Ref<Leases> there = leases_at(inode)) return there;
  TRY(make_queue());
  Ref<Leases> fresh = make_ref<Leases>();
  if (!fresh) return Errno::nomem;
  return Ref<Leases>(static_cast<Leases&>(*inode.attach(AttachmentKind::leases, std::move(fresh))));
}

// After each change, or look.
void changed_locked(Leases& l) REQUIRES(l.lock) {
  bool breaking = false;
  uint64_t deadline = Leases::kNever;
  for (const Lease& lease : l.held)
    if (lease.breaking()) breaking = true, deadline = std::min(deadline, lease.deadline_ns);
  l.show_deadline(breaking, deadline);
  g_changed.load(std::memory_order_acquire)->wake_all();
}

void remove_locked(Leases& l, size_t i) REQUIRES(l.lock) {
  l.held.erase(i);
  g_count.fetch_sub(1, std::memory_order_relaxed);
}

// Whose time is up loses it.
void expire_locked(Leases& l) REQUIRES(l.lock) {
  const uint64_t now = g_hooks.now_ns();
  bool any = false;
  for (size_t i = l.held.size(); i-- > 0;) {
    Lease& lease = l.held[i];
    if (!lease.breaking() || lease.deadline_ns > now) continue;
    lease.type = lease.target;
    if (lease.type == LeaseType::none) remove_locked(l, i);
    any = true;
  }
  if (any) changed_locked(l);
}

Lease* find_locked(Leases& l, const File& file) REQUIRES(l.lock) {
  for (Lease& lease : l.held)
    if (lease.file == &file) return &lease;
  return nullptr;
}

Result<void> take_back_locked(Leases& l, const File& file) REQUIRES(l.lock) {
  const Lease* mine = find_locked(l, file);
  if (!mine) return Errno::again;
  remove_locked(l, static_cast<size_t>(mine - l.held.data()));
  return {};
}

bool is_contended(const File& file, LeaseType type) {
  Ref<WriteAccess> access = WriteAccess::existing(*file.inode());
  const int32_t writers = access ? access->count() : 0;
  if (type == LeaseType::read) return writers > 0;
  const auto& node = static_cast<const TmpfsFile&>(*file.inode());
  return writers != (file.writable() ? 1 : 0) || node.open_files() != 1;
}

Result<void> change_locked(Leases& l, File& file, LeaseType type) REQUIRES(l.lock) {
  Lease* mine = find_locked(l, file);
  for (const Lease& other : l.held)
    if (&other != mine && (type == LeaseType::write || other.target == LeaseType::none)) return Errno::again;
  if (!mine) {
    TRY(l.held.push_back({&file, type, type, 0}));
    g_count.fetch_add(1, std::memory_order_seq_cst);
    // Whoever has opened the file and has not seen this lease is seen here.
    if (!is_contended(file, type)) return {};
    remove_locked(l, l.held.size() - 1);
    return Errno::again;
  }
  if (is_contended(file, type)) return Errno::again;
  // Who was asked for all of it has not given way yet.
  const bool still = mine->breaking() && mine->target == LeaseType::none;
  mine->type = type;
  if (!still) mine->target = type;
  return {};
}

}  // namespace

void lease_init(const LeaseHooks& hooks) { g_hooks = hooks; }

std::atomic<uint32_t>& lease_break_time() { return g_break_time; }

WaitQueue* lease_queue() { return g_changed.load(std::memory_order_acquire); }

bool may_have_leases(const Inode& inode) {
  const std::string_view kind = inode.super().type_name();
  return inode.type() == kRegular && (kind == "tmpfs" || kind == "overlay");
}

Result<void> lease_set(File& file, LeaseType type, bool mapped) {
  Ref<Leases> leases =
      type == LeaseType::none ? leases_at(*file.inode()) : TRY(make_leases_at(*file.inode()));
  if (!leases) return Errno::again;
  LockGuard guard(leases->lock);
  expire_locked(*leases);
  if (type == LeaseType::none) {
    TRY(take_back_locked(*leases, file));
  } else {
    if (mapped) return Errno::again;
    TRY(change_locked(*leases, file, type));
  }
  changed_locked(*leases);
  return {};
}

LeaseType lease_of(const File& file) {
  Ref<Leases> leases = file.inode() ? leases_at(*file.inode()) : Ref<Leases>();
  if (!leases) return LeaseType::none;
  LockGuard guard(leases->lock);
  expire_locked(*leases);
  const Lease* mine = find_locked(*leases, file);
  return mine ? mine->target : LeaseType::none;
}

void lease_drop(const File& file) {
  if (g_count.load(std::memory_order_relaxed) == 0) return;
  Ref<Leases> leases = leases_at(*file.inode());
  if (!leases) return;
  LockGuard guard(leases->lock);
  if (take_back_locked(*leases, file)) changed_locked(*leases);
}

Result<void> lease_break(Inode& inode, bool write) {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // the count of who has it open stands before this
  if (g_count.load(std::memory_order_seq_cst) == 0) return {};
  Ref<Leases> leases = leases_at(inode);
  if (!leases) return {};
  constexpr uint64_t kSecond = 1'000'000'000;
  const LeaseType target = write ? LeaseType::none : LeaseType::read;
  const uint64_t seconds = g_break_time.load(std::memory_order_relaxed);
  bool conflict = false;
  Vec<Ref<File>> told;
  {
    LockGuard guard(leases->lock);
    expire_locked(*leases);
    for (Lease& l : leases->held) {
      if (!write && l.type != LeaseType::write) continue;
      conflict = true;
      if (l.target == LeaseType::none || (l.breaking() && !write)) continue;
      if (l.file->try_ref()) TRY(told.push_back(Ref<File>::adopt(l.file)));
      l.target = target;
      l.deadline_ns = seconds ? g_hooks.now_ns() + seconds * kSecond : Leases::kNever;
      changed_locked(*leases);
    }
  }
  for (Ref<File>& file : told) g_hooks.broken(*file);
  return conflict ? Result<void>(Errno::again) : Result<void>();
}

bool lease_deadline(uint64_t& deadline_ns) {
  LockGuard guard(g_breaking_lock);
  deadline_ns = Leases::kNever;
  for (const Leases* l = g_breaking; l; l = l->next_breaking)
    deadline_ns = std::min(deadline_ns, l->deadline_ns);
  return g_breaking != nullptr;
}

}  // namespace runsc::fs
