// Pipes (pipe(7)) and FIFOs (fifo(7)): a ring of pages between readers and writers.
#pragma once

#include "fs/file.h"
#include "kernel/base/vec.h"
#include "mm/phys.h"

namespace runsc::fs {

// Told to wait queues when bytes were taken out of a pipe that was not full: no blocked writer cares, but
// O_ASYNC does (fcntl(2)).
inline constexpr uint32_t kPipeTaken = 1u << 27;

// The object that both ends share; a FIFO's inode keeps one, too.
class Pipe final : public RefCounted<Pipe> {
 public:
  static constexpr size_t kAtomic = 4096;  // PIPE_BUF
  static constexpr unsigned kDefaultSlots = 16;
  static constexpr unsigned kMaxSlots = 256;  // 1 MiB, /proc/sys/fs/pipe-max-size

  static Result<Ref<Pipe>> create();  // ENOMEM
  ~Pipe();

  Result<size_t> read(mm::IoBuf& buf);                 // 0: end of file; EAGAIN: empty
  Result<size_t> write(mm::IoBuf& buf, bool packets);  // EPIPE: no reader; EAGAIN: full
  // Copies without taking (tee(2)).
  Result<size_t> peek(std::span<std::byte> out);
  // A copy of what is in front, of which the caller takes with end_take() what found its place elsewhere
  // (splice(2)). Until then other readers are told EAGAIN: short, without waiting.
  Result<size_t> begin_take(std::span<std::byte> out);
  void end_take(size_t size);
  // Bytes that a write finds room for at least.
  size_t room();
  uint32_t poll_reader();
  uint32_t poll_writer();
  size_t bytes();
  size_t capacity();                         // bytes
  Result<size_t> set_capacity(size_t size);  // EBUSY below what is held; EPERM above kMaxSlots pages; EINVAL
  WaitQueue& queue() { return queue_; }

  void add_end(bool reader, bool writer);
  void drop_end(bool reader, bool writer);
  bool has_writers() const { return writers_.load(std::memory_order_acquire) != 0; }
  bool has_readers() const { return readers_.load(std::memory_order_acquire) != 0; }
  uint64_t reader_generation() const { return reader_generation_.load(std::memory_order_acquire); }
  uint64_t writer_generation() const { return writer_generation_.load(std::memory_order_acquire); }
  uint64_t id() const { return id_; }

 private:
  friend Ref<Pipe> runsc::make_ref<Pipe>();
  Pipe();
  struct Slot {
    mm::Page* page = nullptr;
    uint16_t start = 0, end = 0;  // bytes [start, end) of the page are data
    bool packet = false;
  };
  Slot& slot(unsigned i) REQUIRES(lock_) { return slots_[(head_ + i) % slots_.size()]; }
  Result<size_t> append_to_last(mm::IoBuf& buf, size_t size) REQUIRES(lock_);
  Result<mm::Page*> take_page() REQUIRES(lock_);
  void pop_front() REQUIRES(lock_);
  size_t copy_front(std::span<std::byte> out) REQUIRES(lock_);
  uint32_t writer_bits_locked() REQUIRES(lock_);

  Mutex lock_{LockRank::pipe};
  WaitQueue queue_;
  Vec<Slot> slots_ GUARDED_BY(lock_);
  unsigned head_ GUARDED_BY(lock_) = 0, used_ GUARDED_BY(lock_) = 0;
  size_t bytes_ GUARDED_BY(lock_) = 0;
  mm::Page* spare_ GUARDED_BY(lock_) = nullptr;
  bool taking_ GUARDED_BY(lock_) = false;  // between begin_take() and end_take()
  std::atomic<uint32_t> readers_{0}, writers_{0};
  std::atomic<uint64_t> reader_generation_{0},
      writer_generation_{0};  // count opens, for fifo(7)'s blocking open
  const uint64_t id_;
};

// open(2) of a FIFO whose inode keeps `pipe`. ENXIO: write-only and non-blocking without a reader.
Result<Ref<File>> open_fifo(Ref<Pipe> pipe, uint32_t flags, Ref<Inode> inode);

class PipeFile final : public File {
 public:
  // Counts itself as an end of the pipe by its access mode.
  PipeFile(Ref<Pipe> pipe, uint32_t flags, Ref<Inode> inode);
  ~PipeFile() override;
  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override;
  Result<size_t> write(mm::IoBuf& buf, uint64_t offset) override;
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &pipe_->queue(); }
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const IoctlContext& context) override;
  Result<Attr> get_attr() override;
  Result<void> set_attr(const SetAttr& attr) override;
  Result<void> complete_open() override;
  void describe(TextSink& out) const override;
  Result<Ref<File>> reopen(uint32_t flags) override;
  FileKind kind() const override { return FileKind::pipe; }
  Pipe& pipe() { return *pipe_; }

 private:
  Ref<Pipe> pipe_;
  bool fifo_;
  bool had_writer_;  // HUP only after one was seen
  uint64_t peer_generation_;
  uint32_t owner_uid_ = 0, owner_gid_ = 0;
};

struct PipeEnds {
  Ref<File> reader, writer;
};
// pipe2(2): flags O_NONBLOCK, O_DIRECT. ENOMEM.
Result<PipeEnds> make_pipe(uint32_t flags);
// The pipe behind a file, or null (splice, F_SETPIPE_SZ). File kinds are told apart without RTTI.
Pipe* pipe_of(File& file);

}  // namespace runsc::fs
