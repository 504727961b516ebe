#include "fs/hostfs/host_window.h"

namespace runsc::fs {

using mm::kPageSize;

// Windows with chunks, the most recently filled first.
struct WindowLru {
  static SpinLock lock;
  static HostWindow *youngest, *oldest;
  static std::atomic<size_t> chunks;

  static void push(HostWindow& w) REQUIRES(lock) {
    w.prev_ = nullptr;
    w.next_ = youngest;
    (youngest ? youngest->prev_ : oldest) = &w;
    youngest = &w;
    w.listed_ = true;
  }
  static void take(HostWindow& w) REQUIRES(lock) {
    if (!w.listed_) return;
    (w.prev_ ? w.prev_->next_ : youngest) = w.next_;
    (w.next_ ? w.next_->prev_ : oldest) = w.prev_;
    w.listed_ = false;
  }
};
constinit SpinLock WindowLru::lock{LockRank::dcache};
constinit HostWindow* WindowLru::youngest = nullptr;
constinit HostWindow* WindowLru::oldest = nullptr;
constinit std::atomic<size_t> WindowLru::chunks{0};

HostWindow::~HostWindow() {
  {
    LockGuard guard(WindowLru::lock);
    WindowLru::take(*this);
  }
  LockGuard guard(lock_);
  hide_all();
}

void HostWindow::hide_all() {
  for (const Chunk& c : chunks_)
    (void)hostcall::call<hostcall::UnmapWindow>([&](hostcall::PhysRange& r) { r = {c.phys, c.size}; });
  WindowLru::chunks.fetch_sub(chunks_.size(), std::memory_order_relaxed);
  chunks_.clear();
  count_.store(0, std::memory_order_release);
}

void HostWindow::hide_unless_pinned() {
  LockGuard guard(lock_);
  if (pins_.load(std::memory_order_acquire) == 0) hide_all();
}

// Lets go of what was filled longest ago, a few files at a time. Called without lock_.
void HostWindow::make_room() {
  for (int i = 0; i < 8 && WindowLru::chunks.load(std::memory_order_relaxed) >= kMaxChunks; ++i) {
    Ref<Inode> keep;
    HostWindow* victim;
    {
      LockGuard guard(WindowLru::lock);
      victim = WindowLru::oldest;
      if (!victim || victim == this) return;
      WindowLru::take(*victim);
      if (!victim->owner_.try_ref()) continue;  // ending
      keep = Ref<Inode>::adopt(&victim->owner_);
      WindowLru::push(*victim);
    }
    victim->hide_unless_pinned();
  }
}

const HostWindow::Chunk* HostWindow::find(uint64_t offset, bool write) const {
  uint64_t index = offset / kChunk;
  for (const Chunk& c : chunks_)
    if (c.index == index && offset - index * kChunk < c.size && (c.writable || !write)) return &c;
  return nullptr;
}

Result<uint64_t> HostWindow::page(const HostHandle& handle, uint64_t offset, uint64_t file_size, bool write) {
  offset = mm::page_down(offset);
  if (offset >= file_size) return Errno::io;
  if (!shown()) make_room();
  LockGuard guard(lock_);
  if (const Chunk* c = find(offset, write)) return c->phys + offset % kChunk;
  uint64_t start = offset / kChunk * kChunk;
  uint64_t size = mm::page_up(file_size) - start;
  if (size > kChunk) size = kChunk;
  TRY(chunks_.reserve(chunks_.size() + 1));
  auto reply = hostcall::call<hostcall::MapWindow>([&](hostcall::MapWindow::Request& r) {
    r.handle = handle.number();
    r.writable = write;
    r.offset = start;
    r.size = size;
  });
  if (!reply) return reply.error();
  uint64_t phys = (*reply)->phys;
  (void)chunks_.push_back({offset / kChunk, phys, size, write});
  count_.store(static_cast<uint32_t>(chunks_.size()), std::memory_order_release);
  WindowLru::chunks.fetch_add(1, std::memory_order_relaxed);
  LockGuard list_guard(WindowLru::lock);
  WindowLru::take(*this);
  WindowLru::push(*this);
  return phys + offset % kChunk;
}

Result<uint64_t> HostWindow::shown_page(uint64_t offset) {
  LockGuard guard(lock_);
  const Chunk* c = find(offset, false);
  if (!c) return Errno::again;
  return c->phys + mm::page_down(offset % kChunk);
}

size_t HostWindow::pages_at_hand(uint64_t offset, size_t count, bool write, mm::MappedPage* out) {
  LockGuard guard(lock_);
  size_t n = 0;
  for (; n < count; ++n) {
    uint64_t at = mm::page_down(offset) + (n + 1) * kPageSize;
    const Chunk* c = find(at, write);
    if (!c) break;
    out[n] = {c->phys + at % kChunk, nullptr};
  }
  return n;
}

Result<bool> HostWindow::copy(void* to, uint64_t offset, size_t size) {
  auto* out = static_cast<std::byte*>(to);
  LockGuard guard(lock_);
  while (size > 0) {
    const Chunk* c = find(offset, false);
    if (!c) return false;
    uint64_t n = c->size - offset % kChunk;
    if (n > size) n = size;
    TRY(arch::copy_from_window(out, c->phys + offset % kChunk, n));
    out += n;
    offset += n;
    size -= n;
  }
  return true;
}

}  // namespace runsc::fs
