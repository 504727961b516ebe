#include "fs/hostfs/host_handle.h"

#include "mm/phys.h"

namespace runsc::fs {

namespace {

// The largest block at hand, up to 64 KiB.
struct Bounce {
  mm::Page* block = nullptr;
  size_t size = 0;
  Result<void> get(size_t wanted) {
    unsigned order = 0;
    while (order < 4 && (mm::kPageSize << order) < wanted) ++order;
    for (;; --order) {
      Result<mm::Page*> b = mm::alloc_pages(order, mm::Zero::no, mm::Use::sentry);
      if (b) {
        block = *b;
        size = mm::kPageSize << order;
        return {};
      }
      if (order == 0) return b.error();
    }
  }
  ~Bounce() {
    if (block) mm::put_page(*block);
  }
};

template <class Call>
Result<size_t> transfer(hostcall::Handle handle, uint64_t offset, uint64_t phys, size_t size) {
  auto reply = hostcall::call<Call>([&](hostcall::ReadWriteRequest& r) {
    r.handle = handle;
    r.offset = offset;
    r.ranges.count = 1;
    r.ranges.at[0] = {phys, size};
  });
  if (!reply) return reply.error();
  uint64_t moved = (*reply)->size;
  if (moved > size) return Errno::io;
  return static_cast<size_t>(moved);
}

}  // namespace

HostHandle::~HostHandle() {
  (void)hostcall::call<hostcall::Close>([&](hostcall::HandleRequest& r) { r.handle = number_; });
}

Result<size_t> HostHandle::read_direct(void* to, uint64_t offset, size_t size) const {
  size_t done = 0;
  while (done < size) {
    size_t n = TRY(transfer<hostcall::Read>(
        number_, offset + done, arch::virt_to_phys(static_cast<std::byte*>(to) + done), size - done));
    if (n == 0) break;
    done += n;
  }
  return done;
}

Result<size_t> HostHandle::read(mm::IoBuf& buf, uint64_t offset, size_t size) const {
  Bounce bounce;
  TRY(bounce.get(size));
  size_t done = 0;
  while (done < size) {
    size_t want = size - done < bounce.size ? size - done : bounce.size;
    Result<size_t> got = transfer<hostcall::Read>(number_, offset + done, mm::page_phys(*bounce.block), want);
    if (!got) return done > 0 ? Result<size_t>(done) : got;
    if (*got == 0) break;
    Result<size_t> moved = buf.put(mm::page_data(*bounce.block), *got);
    if (!moved) return done > 0 ? Result<size_t>(done) : moved;
    done += *moved;
    if (*moved < *got || *got < want) break;
  }
  return done;
}

Result<size_t> HostHandle::write(mm::IoBuf& buf, uint64_t offset) const {
  Bounce bounce;
  TRY(bounce.get(buf.remaining()));
  size_t done = 0;
  while (buf.remaining() > 0) {
    size_t want = buf.remaining() < bounce.size ? buf.remaining() : bounce.size;
    Result<size_t> got = buf.get(mm::page_data(*bounce.block), want);
    if (!got) return done > 0 ? Result<size_t>(done) : got;
    Result<size_t> moved =
        transfer<hostcall::Write>(number_, offset + done, mm::page_phys(*bounce.block), *got);
    if (!moved) {
      buf.rewind(*got);
      return done > 0 ? Result<size_t>(done) : moved;
    }
    done += *moved;
    if (*moved < *got) buf.rewind(*got - *moved);
    if (*moved < want) break;
  }
  return done;
}

// Kept handles, the most recently used first.
struct HandleCache {
  static SpinLock lock;
  static HandleOwner *youngest, *oldest;
  static size_t count;

  static void push(HandleOwner& o) REQUIRES(lock) {
    o.prev_ = nullptr;
    o.next_ = youngest;
    (youngest ? youngest->prev_ : oldest) = &o;
    youngest = &o;
    ++count;
  }
  static void take(HandleOwner& o) REQUIRES(lock) {
    (o.prev_ ? o.prev_->next_ : youngest) = o.next_;
    (o.next_ ? o.next_->prev_ : oldest) = o.prev_;
    --count;
  }
};
constinit SpinLock HandleCache::lock{LockRank::dcache};
constinit HandleOwner* HandleCache::youngest = nullptr;
constinit HandleOwner* HandleCache::oldest = nullptr;
constinit size_t HandleCache::count = 0;

Ref<HostHandle> HandleOwner::kept(bool write) {
  LockGuard guard(HandleCache::lock);
  if (!handle_ || (write && !handle_->writable())) return {};
  HandleCache::take(*this);
  HandleCache::push(*this);
  return handle_;
}

void HandleOwner::keep(Ref<HostHandle> handle) {
  Ref<HostHandle> evicted;  // closed outside the lock, as what `handle` replaces
  LockGuard guard(HandleCache::lock);
  if (handle_) HandleCache::take(*this);
  std::swap(handle_, handle);
  HandleCache::push(*this);
  if (HandleCache::count <= kMaxCached) return;
  HandleOwner& victim = *HandleCache::oldest;
  HandleCache::take(victim);
  std::swap(evicted, victim.handle_);
}

void HandleOwner::drop_kept() {
  Ref<HostHandle> gone;
  LockGuard guard(HandleCache::lock);
  if (!handle_) return;
  HandleCache::take(*this);
  std::swap(gone, handle_);
}

}  // namespace runsc::fs
