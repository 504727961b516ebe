#include "net/netlink/message.h"

#include <algorithm>

namespace runsc::net {

Result<IpAddress> AttributeReader::Item::address() const {
  constexpr size_t kV4 = 4, kV6 = 16;
  if (data.size() == kV4) return IpAddress::from_v4(data.data());
  if (data.size() == kV6) return IpAddress::from_v6(data.data());
  return Errno::inval;
}

std::string_view AttributeReader::Item::text() const {
  const std::string_view all(reinterpret_cast<const char*>(data.data()), data.size());
  return all.substr(0, all.find('\0'));
}

bool AttributeReader::next(Item& item) {
  NetlinkAttribute head;
  if (rest_.size() < sizeof head) return false;
  __builtin_memcpy(&head, rest_.data(), sizeof head);
  if (head.size < sizeof head || head.size > rest_.size()) return false;
  constexpr uint16_t kTypeMask = 0x3fff;  // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
  item = {static_cast<uint16_t>(head.type & kTypeMask), rest_.subspan(sizeof head, head.size - sizeof head)};
  rest_ = rest_.subspan(std::min(netlink_align(head.size), rest_.size()));
  return true;
}

void NetlinkWriter::bytes(const void* data, size_t size) {
  if (!status_) return;
  const size_t at = message_.size();
  status_ = message_.resize(at + netlink_align(size));
  if (status_) __builtin_memcpy(message_.data() + at, data, size);
}

void NetlinkWriter::begin(uint16_t type, uint16_t flags) {
  message_.clear();
  put(NetlinkHeader{0, type, flags, sequence_, port_});
}

void NetlinkWriter::attribute(uint16_t type, const void* data, size_t size) {
  put(NetlinkAttribute{static_cast<uint16_t>(sizeof(NetlinkAttribute) + size), type});
  bytes(data, size);
}

void NetlinkWriter::attribute(uint16_t type, std::string_view text) {
  char with_nul[64] = {};
  const size_t n = std::min(text.size(), sizeof with_nul - 1);
  __builtin_memcpy(with_nul, text.data(), n);
  attribute(type, with_nul, n + 1);
}

void NetlinkWriter::attribute(uint16_t type, const IpAddress& address) {
  std::byte raw[16];
  if (address.is_v4())
    address.put_v4(raw);
  else
    address.put_v6(raw);
  attribute(type, raw, address.is_v4() ? 4 : 16);
}

size_t NetlinkWriter::begin_nest(uint16_t type) {
  const size_t at = message_.size();
  put(NetlinkAttribute{0, type});
  return at;
}

void NetlinkWriter::end_nest(size_t at) {
  if (!status_) return;
  const auto size = static_cast<uint16_t>(message_.size() - at);
  __builtin_memcpy(message_.data() + at, &size, sizeof size);
}

void NetlinkWriter::end() {
  if (!status_) return;
  const auto size = static_cast<uint32_t>(message_.size());
  __builtin_memcpy(message_.data(), &size, sizeof size);
  if (pieces_.empty() || pieces_.back().size() + size > kPiece) {
    status_ = pieces_.push_back({});
    if (!status_) return;
  }
  Vec<std::byte>& piece = pieces_.back();
  const size_t at = piece.size();
  status_ = piece.resize(at + size);
  if (status_) __builtin_memcpy(piece.data() + at, message_.data(), size);
}

}  // namespace runsc::net
