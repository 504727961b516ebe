// Host only. Requests to the host's kernel over rtnetlink(7), about the network namespace of the calling
// process.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {

// A message and its attributes, as bytes.
class NetlinkMessage {
 public:
  NetlinkMessage(uint16_t type, uint16_t flags);
  // The fixed part behind the header.
  template <class T>
  NetlinkMessage& body(const T& value) {
    append(&value, sizeof value);
    return *this;
  }
  NetlinkMessage& attribute(uint16_t type, const void* bytes, size_t size);
  NetlinkMessage& attribute(uint16_t type, std::string_view text_with_nul) {
    return attribute(type, text_with_nul.data(), text_with_nul.size() + 1);
  }
  template <class T>
  NetlinkMessage& number(uint16_t type, T value) {
    return attribute(type, &value, sizeof value);
  }
  // Attributes within one, until end().
  size_t begin(uint16_t type);
  void end(size_t start);
  std::string finished(uint32_t sequence) const;

 private:
  void append(const void* bytes, size_t size);
  std::string bytes_;
};

// What an answer holds: its fixed part and attributes. Short ones read as zeros and nothing.
class NetlinkAnswer {
 public:
  explicit NetlinkAnswer(std::span<const std::byte> payload) : payload_(payload) {}
  template <class T>
  T body() const {
    T value{};
    copy(payload_, &value, sizeof value);
    return value;
  }
  // The bytes of the first attribute of the type behind a fixed part of `skip` bytes; empty: there is none.
  std::string attribute(size_t skip, uint16_t type) const;
  template <class T>
  T number(size_t skip, uint16_t type, T missing = {}) const {
    const std::string bytes = attribute(skip, type);
    T value = missing;
    if (bytes.size() >= sizeof value) copy(std::as_bytes(std::span(bytes)), &value, sizeof value);
    return value;
  }
  static std::string attribute_in(std::string_view attributes, uint16_t type);

 private:
  static void copy(std::span<const std::byte> from, void* to, size_t size);
  std::span<const std::byte> payload_;
};

class Netlink {
 public:
  static Expected<Netlink> open();
  // `what` is for the error. The number of the error, 0: done.
  Expected<int> ask(const NetlinkMessage& request, const std::string& what);
  using Each = std::function<void(uint16_t type, const NetlinkAnswer&)>;
  Expected<void> list(const NetlinkMessage& request, const std::string& what, const Each& each);
  // The last list failed because what it is of was changed meanwhile.
  bool interrupted() const { return interrupted_; }

 private:
  Expected<int> exchange(const NetlinkMessage& request, const std::string& what, const Each& each);
  UniqueFd socket_;
  uint32_t sequence_ = 0;
  bool interrupted_ = false;
};

}  // namespace runsc::oci
