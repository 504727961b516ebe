// Netlink messages (netlink(7), RFC 3549): reading what is asked, writing answers.
#pragma once

#include "kernel/base/vec.h"
#include "net/inet/address.h"

namespace runsc::net {

struct NetlinkHeader {  // struct nlmsghdr
  uint32_t size;
  uint16_t type, flags;
  uint32_t sequence, port;
};
struct NetlinkAttribute {  // struct nlattr
  uint16_t size, type;
};
static_assert(sizeof(NetlinkHeader) == 16 && sizeof(NetlinkAttribute) == 4);

namespace netlink_flag {
inline constexpr uint16_t request = 1, multi = 2, ack = 4, root = 0x100, match = 0x200, dump = 0x300,
                          replace = 0x100, excl = 0x200, create = 0x400, append = 0x800, capped = 0x100;
}
namespace netlink_type {
inline constexpr uint16_t noop = 1, error = 2, done = 3, first = 16;
}

inline constexpr size_t netlink_align(size_t n) { return (n + 3) & ~size_t{3}; }

// Attributes one after the other. What is cut off is not there.
class AttributeReader {
 public:
  explicit AttributeReader(std::span<const std::byte> bytes) : rest_(bytes) {}
  struct Item {
    uint16_t type;
    std::span<const std::byte> data;
    uint32_t u32() const {
      uint32_t v = 0;
      if (data.size() >= sizeof v) __builtin_memcpy(&v, data.data(), sizeof v);
      return v;
    }
    // Four or sixteen bytes. EINVAL.
    Result<IpAddress> address() const;
    // Up to a NUL.
    std::string_view text() const;
  };
  bool next(Item& item);

 private:
  std::span<const std::byte> rest_;
};

// Answers, in pieces of at most kPiece bytes, each of which a recvmsg(2) takes.
class NetlinkWriter {
 public:
  static constexpr size_t kPiece = 16384;
  NetlinkWriter(uint32_t port, uint32_t sequence) : port_(port), sequence_(sequence) {}

  // After these an error is remembered: status().
  void begin(uint16_t type, uint16_t flags);
  void bytes(const void* data, size_t size);
  template <class T>
  void put(const T& value) {
    bytes(&value, sizeof value);
  }
  void attribute(uint16_t type, const void* data, size_t size);
  template <class T>
  void attribute(uint16_t type, const T& value) {
    attribute(type, &value, sizeof value);
  }
  void attribute(uint16_t type, std::string_view text);  // with a NUL
  void attribute(uint16_t type, const IpAddress& address);
  // An attribute made of attributes, from its number to end_nest().
  size_t begin_nest(uint16_t type);
  void end_nest(size_t at);
  void end();

  Result<void> status() const { return status_; }
  Vec<Vec<std::byte>>& pieces() { return pieces_; }

 private:
  uint32_t port_, sequence_;
  Vec<Vec<std::byte>> pieces_;
  Vec<std::byte> message_;
  Result<void> status_;
};

}  // namespace runsc::net
