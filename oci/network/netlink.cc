#include "oci/network/netlink.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace runsc::oci {

NetlinkMessage::NetlinkMessage(uint16_t type, uint16_t flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
  append(&header, sizeof header);
}

void NetlinkMessage::append(const void* bytes, size_t size) {
  bytes_.append(static_cast<const char*>(bytes), size);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

NetlinkMessage& NetlinkMessage::attribute(uint16_t type, const void* bytes, size_t size) {
  nlattr header{};
  header.nla_type = type;
  header.nla_len = static_cast<uint16_t>(NLA_HDRLEN + size);
  append(&header, sizeof header);
  append(bytes, size);
  return *this;
}

size_t NetlinkMessage::begin(uint16_t type) {
  const size_t start = bytes_.size();
  attribute(type, nullptr, 0);
  return start;
}

void NetlinkMessage::end(size_t start) {
  const auto size = static_cast<uint16_t>(bytes_.size() - start);
  std::memcpy(bytes_.data() + start, &size, sizeof size);
}

std::string NetlinkMessage::finished(uint32_t sequence) const {
  std::string bytes = bytes_;
  nlmsghdr header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  header.nlmsg_len = static_cast<uint32_t>(bytes.size());
  header.nlmsg_seq = sequence;
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

void NetlinkAnswer::copy(std::span<const std::byte> from, void* to, size_t size) {
  if (from.size() >= size) std::memcpy(to, from.data(), size);
}

std::string NetlinkAnswer::attribute_in(std::string_view attributes, uint16_t type) {
  while (attributes.size() >= NLA_HDRLEN) {
    nlattr header{};
    std::memcpy(&header, attributes.data(), sizeof header);
    if (header.nla_len < NLA_HDRLEN || header.nla_len > attributes.size()) break;
    if ((header.nla_type & NLA_TYPE_MASK) == type)
      return std::string(attributes.substr(NLA_HDRLEN, header.nla_len - NLA_HDRLEN));
    attributes.remove_prefix(std::min<size_t>(NLA_ALIGN(header.nla_len), attributes.size()));
  }
  return {};
}

std::string NetlinkAnswer::attribute(size_t skip, uint16_t type) const {
  const size_t from = NLMSG_ALIGN(skip);
  if (payload_.size() < from) return {};
  const auto rest = payload_.subspan(from);
  return attribute_in({reinterpret_cast<const char*>(rest.data()), rest.size()}, type);
}

Expected<Netlink> Netlink::open() {
  Netlink link;
  link.socket_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!link.socket_) return fail_errno("rtnetlink", kExitSandbox);
  return link;
}

Expected<int> Netlink::exchange(const NetlinkMessage& request, const std::string& what, const Each& each) {
  const std::string bytes = request.finished(++sequence_);
  if (::send(socket_.get(), bytes.data(), bytes.size(), 0) < 0) return fail_errno(what, kExitSandbox);
  std::vector<std::byte> room(64 << 10);
  interrupted_ = false;
  for (;;) {
    const ssize_t n = ::recv(socket_.get(), room.data(), room.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(what, kExitSandbox);
    std::span<const std::byte> rest(room.data(), static_cast<size_t>(n));
    while (rest.size() >= sizeof(nlmsghdr)) {
      nlmsghdr header{};
      std::memcpy(&header, rest.data(), sizeof header);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) break;
      const NetlinkAnswer answer(rest.subspan(sizeof header, header.nlmsg_len - sizeof header));
      rest = rest.subspan(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), rest.size()));
      if (header.nlmsg_seq != sequence_) continue;
      interrupted_ |= (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (header.nlmsg_type == NLMSG_DONE) return interrupted_ ? EINTR : -answer.body<int>();
      if (header.nlmsg_type == NLMSG_ERROR) return -answer.body<nlmsgerr>().error;
      each(header.nlmsg_type, answer);
    }
  }
}

Expected<int> Netlink::ask(const NetlinkMessage& request, const std::string& what) {
  return exchange(request, what, [](uint16_t, const NetlinkAnswer&) {});
}

Expected<void> Netlink::list(const NetlinkMessage& request, const std::string& what, const Each& each) {
  const int error = OCI_TRY(exchange(request, what, each));
  if (error == 0) return {};
  return fail(with_errno(what, error), kExitSandbox);
}

}  // namespace runsc::oci
