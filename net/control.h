// Ancillary data (cmsg(3)): reading what the application sends, writing what it receives.
#pragma once

#include "net/types.h"

namespace runsc::net {

struct ControlHeader {  // struct cmsghdr
  uint64_t size;        // with the header
  int32_t level, type;
};

inline constexpr uint64_t control_align(uint64_t n) { return (n + 7) & ~uint64_t{7}; }

// The chain of headers in a copied msg_control.
class ControlReader {
 public:
  explicit ControlReader(std::span<const std::byte> bytes) : rest_(bytes) {}
  struct Item {
    int32_t level, type;
    std::span<const std::byte> data;
  };
  // False at the end. EINVAL: a length that leaves the buffer or is below the header's.
  Result<bool> next(Item& item);

 private:
  std::span<const std::byte> rest_;
};

// msg_control of a recvmsg(2): what does not fit sets MSG_CTRUNC.
class ControlWriter {
 public:
  ControlWriter() = default;
  ControlWriter(mm::AddressSpace& space, uint64_t address, uint64_t room)
      : space_(&space), address_(address), room_(address ? room : 0) {}

  bool present() const { return address_ != 0; }
  // One whole message, cut where the room ends.
  void put(int level, int type, std::span<const std::byte> data);
  // SCM_RIGHTS: as many descriptors as there is room for.
  void put_files(const Caller& caller, std::span<Ref<fs::File>> files, bool close_on_exec);
  void set_truncated() { truncated_ = true; }
  bool truncated() const { return truncated_; }
  uint64_t used() const { return used_; }

 private:
  void take(uint64_t size);

  mm::AddressSpace* space_ = nullptr;
  uint64_t address_ = 0, room_ = 0, used_ = 0;
  bool truncated_ = false;
};

namespace control_type {
inline constexpr int rights = 1, credentials = 2;
}

}  // namespace runsc::net
