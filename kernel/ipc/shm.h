// Segments of System V shared memory (shmget(2)).
#pragma once

#include "kernel/ipc/ipc.h"
#include "mm/mappable.h"

namespace runsc::kernel {

inline constexpr uint64_t kShmMax = ~uint64_t{0} - (uint64_t{1} << 24);  // bytes; kernel.shmmax
inline constexpr uint64_t kShmAll = kShmMax;                             // pages; kernel.shmall
inline constexpr uint32_t kShmMni = 4096;

// Also what its mappings map. A removed segment lives on until nobody is attached.
class ShmSegment final : public IpcObject, public mm::Mappable {
 public:
  // ENOMEM.
  static Result<Ref<ShmSegment>> create(uint64_t size, int32_t key, int32_t pid);

  uint64_t size() const { return size_; }

  void ref_mappable() override { ref(); }
  void unref_mappable() override { unref(); }
  Result<mm::MappedPage> get_page(uint64_t offset, bool write) override;
  size_t get_pages_around(uint64_t offset, size_t count, mm::MappedPage* out) override;
  void describe(TextSink& out) const override;
  uint64_t device() const override { return 1; }
  uint64_t inode_number() const override { return static_cast<uint64_t>(id()); }
  bool tracks_writes() const override { return false; }
  void mapped(mm::AddressSpace& space, uint64_t address, uint64_t offset, uint64_t size) override;
  void unmapped(mm::AddressSpace& space, uint64_t address, uint64_t offset, uint64_t size) override;

  struct Use {
    int64_t attach_time, detach_time, change_time;  // seconds
    int32_t creator, last;
    uint64_t attached;  // how many times
  };
  Use use() const REQUIRES(lock);
  void touch() REQUIRES(lock);  // change_time
  // shmat(2) holds the segment from its checks until the mapping is there. EIDRM: it is too late.
  Result<void> hold(const fs::Credentials& creds, uint32_t permissions);
  void release();
  // IPC_RMID.
  void destroy() override;
  std::atomic<bool> locked{false};  // SHM_LOCK

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  friend struct ShmList;
  ShmSegment(uint64_t size, int32_t key, int32_t pid, mm::MappableRef memory);
  ~ShmSegment() override;
  // The memory of a removed segment that nobody uses: for the caller to drop.
  [[nodiscard]] mm::MappableRef end_if_unused() REQUIRES(lock);
  mm::MappableRef memory() const;

  const uint64_t size_;
  const int32_t first_key_, creator_;
  mm::MappableRef memory_ GUARDED_BY(lock);  // null: the segment is no more
  uint64_t bytes_ GUARDED_BY(lock) = 0;      // mapped, in all spaces together
  uint32_t holds_ GUARDED_BY(lock) = 0;
  int32_t last_ GUARDED_BY(lock) = 0;
  int64_t attach_time_ GUARDED_BY(lock) = 0, detach_time_ GUARDED_BY(lock) = 0,
                       change_time_ GUARDED_BY(lock) = 0;
  ShmSegment *next_ = nullptr, *previous_ = nullptr;  // of all: guarded in shm.cc
};

// The segment that `file` is, whatever namespace it is of. Null: it is none.
Ref<ShmSegment> mapped_segment(const mm::Mappable& file);

// Of the task's namespace.
IpcTable& shm_table(const Task& task);
// The segment with this number. EINVAL.
Result<Ref<ShmSegment>> find_shm(const Task& task, int32_t id);

}  // namespace runsc::kernel
