// HostWindow: the parts of one host file that are shown in the file window.
#pragma once

#include "fs/hostfs/host_handle.h"
#include "fs/inode.h"
#include "kernel/base/vec.h"
#include "mm/mappable.h"

namespace runsc::fs {

class HostWindow {
 public:
  static constexpr uint64_t kChunk = 2 << 20;  // file offsets are shown in aligned chunks of this size
  static constexpr size_t kMaxChunks = 8192;   // of all files, unless they are pinned

  // A member of `owner`.
  explicit HostWindow(Inode& owner) : owner_(owner) {}
  ~HostWindow();

  // The page at `offset`, shown with its chunk where it is not yet; `file_size` bounds the chunk. EIO beyond
  // the end; ENOMEM and errors of the host.
  Result<uint64_t> page(const HostHandle& handle, uint64_t offset, uint64_t file_size, bool write);
  // The same if it is shown already.
  Result<uint64_t> shown_page(uint64_t offset);
  size_t pages_at_hand(uint64_t offset, size_t count, bool write, mm::MappedPage* out);
  // Copies what is shown; false: some of it is not (nothing useful in `to` then). EIO.
  Result<bool> copy(void* to, uint64_t offset, size_t size);
  bool shown() const { return count_.load(std::memory_order_acquire) != 0; }

  // Pages handed out stay valid while pinned.
  void pin(uint64_t size) { pins_.fetch_add(size, std::memory_order_acq_rel); }
  void unpin(uint64_t size) { pins_.fetch_sub(size, std::memory_order_acq_rel); }

 private:
  friend struct WindowLru;
  struct Chunk {
    uint64_t index, phys, size;
    bool writable;
  };
  const Chunk* find(uint64_t offset, bool write) const REQUIRES(lock_);
  void hide_all() REQUIRES(lock_);
  void hide_unless_pinned();
  void make_room();

  Inode& owner_;
  mutable Mutex lock_{LockRank::hostfs};
  Vec<Chunk> chunks_ GUARDED_BY(lock_);
  std::atomic<uint32_t> count_{0};
  std::atomic<uint64_t> pins_{0};  // bytes mapped
  // Under the lock of the list of all windows.
  HostWindow *next_ = nullptr, *prev_ = nullptr;
  bool listed_ = false;
};

}  // namespace runsc::fs
