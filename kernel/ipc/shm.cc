#include "kernel/ipc/shm.h"

#include "kernel/namespaces.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"
#include "mm/shared_anon.h"

namespace runsc::kernel {

namespace {

int64_t now() { return realtime_ns() / 1'000'000'000; }

// All that live, also those that are in no table any more.
constinit SpinLock g_all_lock{LockRank::leaf};
constinit ShmSegment* g_all GUARDED_BY(g_all_lock) = nullptr;

}  // namespace

IpcTable& shm_table(const Task& task) { return task.namespaces().ipc().segments(); }

Result<Ref<ShmSegment>> find_shm(const Task& task, int32_t id) {
  Ref<IpcObject> object = TRY(shm_table(task).find(id));
  return Ref<ShmSegment>(static_cast<ShmSegment&>(*object));
}

Result<Ref<ShmSegment>> ShmSegment::create(uint64_t size, int32_t key, int32_t pid) {
  mm::MappableRef memory = TRY(mm::SharedAnon::create(size));
  Ref<ShmSegment> segment = make_ref<ShmSegment>(size, key, pid, std::move(memory));
  if (!segment) return Errno::nomem;
  LockGuard guard(segment->lock);
  segment->change_time_ = now();
  return segment;
}

// The list of all segments; under g_all_lock.
struct ShmList {
  static void add(ShmSegment& s) REQUIRES(g_all_lock) {
    s.next_ = g_all;
    if (g_all) g_all->previous_ = &s;
    g_all = &s;
  }
  static void remove(ShmSegment& s) REQUIRES(g_all_lock) {
    (s.previous_ ? s.previous_->next_ : g_all) = s.next_;
    if (s.next_) s.next_->previous_ = s.previous_;
  }
  static ShmSegment* next(ShmSegment& s) { return s.next_; }
};

ShmSegment::ShmSegment(uint64_t size, int32_t key, int32_t pid, mm::MappableRef memory)
    : size_(size), first_key_(key), creator_(pid), memory_(std::move(memory)) {
  LockGuard guard(g_all_lock);
  ShmList::add(*this);
}

ShmSegment::~ShmSegment() {
  LockGuard guard(g_all_lock);
  ShmList::remove(*this);
}

Ref<ShmSegment> mapped_segment(const mm::Mappable& file) {
  LockGuard guard(g_all_lock);
  for (ShmSegment* s = g_all; s; s = ShmList::next(*s))
    if (static_cast<mm::Mappable*>(s) == &file && s->try_ref()) return Ref<ShmSegment>::adopt(s);
  return {};
}

mm::MappableRef ShmSegment::memory() const {
  LockGuard guard(lock);
  return memory_;
}

Result<mm::MappedPage> ShmSegment::get_page(uint64_t offset, bool write) {
  mm::MappableRef memory = this->memory();
  if (!memory) return Errno::nxio;
  return memory->get_page(offset, write);
}

size_t ShmSegment::get_pages_around(uint64_t offset, size_t count, mm::MappedPage* out) {
  mm::MappableRef memory = this->memory();
  return memory ? memory->get_pages_around(offset, count, out) : 0;
}

void ShmSegment::describe(TextSink& out) const {
  format(out, "/SYSV{:08x} (deleted)", static_cast<uint32_t>(first_key_));
}

void ShmSegment::mapped(mm::AddressSpace&, uint64_t, uint64_t, uint64_t size) {
  LockGuard guard(lock);
  bytes_ += size;
  attach_time_ = now();
  last_ = Task::current().pid();
}

void ShmSegment::unmapped(mm::AddressSpace&, uint64_t, uint64_t, uint64_t size) {
  mm::MappableRef gone;
  {
    LockGuard guard(lock);
    bytes_ -= size;
    detach_time_ = now();
    last_ = Task::current().pid();
    gone = end_if_unused();
    if (memory_) return;
  }
  leave_table();
}

ShmSegment::Use ShmSegment::use() const {
  uint64_t pages = mm::page_up(size_);
  return {attach_time_, detach_time_, change_time_, creator_, last_, (bytes_ + pages - 1) / pages};
}

void ShmSegment::touch() { change_time_ = now(); }

Result<void> ShmSegment::hold(const fs::Credentials& creds, uint32_t permissions) {
  LockGuard guard(lock);
  if (!memory_) return Errno::idrm;
  TRY(owner.check(creds, permissions));
  ++holds_;
  return {};
}

void ShmSegment::release() {
  mm::MappableRef gone;
  {
    LockGuard guard(lock);
    --holds_;
    gone = end_if_unused();
    if (memory_) return;
  }
  leave_table();
}

void ShmSegment::destroy() {
  mm::MappableRef gone;
  {
    LockGuard guard(lock);
    removed = true;
    key = 0;
    gone = end_if_unused();
    if (memory_) return;
  }
  leave_table();
}

mm::MappableRef ShmSegment::end_if_unused() {
  if (!removed || bytes_ != 0 || holds_ != 0) return {};
  return std::exchange(memory_, {});
}

}  // namespace runsc::kernel
