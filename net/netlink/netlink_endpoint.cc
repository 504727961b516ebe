#include "net/netlink/netlink_endpoint.h"
#include "net/capable.h"

#include <algorithm>

#include "net/inet/device_ioctl.h"
#include "net/inet/option_value.h"
#include "net/inet/stack.h"
#include "net/netlink/route_messages.h"
#include "net/netlink/sock_diag.h"
#include "net/socket.h"
#include "net/socket_filter.h"

namespace runsc::net {

using namespace fs::poll_bit;
using fs::Cap;

namespace {

constexpr uint32_t kArrived = in | rdnorm, kWritable = out | wrnorm | wrband;
constexpr int kSolNetlink = 270, kAddMembership = 1, kDropMembership = 2, kPktInfo = 3, kListMemberships = 9,
              kNoOverrun = 5, kCapAck = 10, kLastSwitch = 12;
constexpr uint32_t kMessageCharge = 512;  // what a message counts for besides its bytes
constexpr size_t kRequestMax = 212992;
// What one dump may keep waiting, whatever SO_RCVBUF says: Linux makes it piece by piece as it is read.
constexpr uint32_t kDumpMax = 4 << 20;

struct SockaddrNetlink {
  uint16_t family, padding;
  uint32_t port, groups;
};

Result<SockaddrNetlink> parse(std::span<const std::byte> address) {
  SockaddrNetlink a;
  if (address.size() < sizeof a) return Errno::inval;
  __builtin_memcpy(&a, address.data(), sizeof a);
  if (a.family != family_number::netlink) return Errno::inval;
  return a;
}

void show(const SockaddrNetlink& a, Address& out) {
  __builtin_memcpy(out.bytes, &a, sizeof a);
  out.size = sizeof a;
}

}  // namespace

Result<Ref<Endpoint>> create_netlink(const Caller&, NetworkNamespace& net, int type, int protocol) {
  if (type != socket_type::raw && type != socket_type::dgram) return Errno::socktnosupport;
  if (protocol < 0 || protocol >= 32) return Errno::protonosupport;
  using namespace netlink_protocol;
  if (protocol != route && protocol != sock_diag && protocol != uevent) return Errno::protonosupport;
  Ref<NetlinkEndpoint> endpoint = make_ref<NetlinkEndpoint>(net, type, protocol);
  if (!endpoint) return Errno::nomem;
  endpoint->listed_protocol = protocol;
  net.inet().netlink().add(*endpoint);
  return Ref<Endpoint>(endpoint);
}

NetlinkEndpoint::NetlinkEndpoint(NetworkNamespace& net, int type, int protocol)
    : Endpoint(Ref<NetworkNamespace>(net), family_number::netlink, type, protocol) {}

NetlinkTable& NetlinkEndpoint::table() const { return net().inet().netlink(); }

void NetlinkEndpoint::attached(Socket& file) {
  if (Result<fs::Attr> attr = file.get_attr()) ino_.store(attr->ino, std::memory_order_relaxed);
}

NetlinkEndpoint::~NetlinkEndpoint() { clear_messages(); }

void NetlinkEndpoint::release() {
  table().remove(*this);
  clear_messages();
}

void NetlinkEndpoint::clear_messages() {
  List gone;
  {
    LockGuard guard(lock_);
    gone.swap(messages_);
  }
  gone.clear_and_dispose([](Message* m) { Message::destroy(m); });
}

// ---- names ----

Result<void> NetlinkEndpoint::bind(const Caller& caller, std::span<const std::byte> address) {
  const SockaddrNetlink a = TRY(parse(address));
  if (a.groups && protocol() != netlink_protocol::route && protocol() != netlink_protocol::uevent &&
      !is_capable(caller.creds, net(), Cap::net_admin))
    return Errno::perm;
  const uint32_t port = TRY(table().bind(*this, a.port, static_cast<uint32_t>(caller.number_of(caller.pid))));
  port_.store(port, std::memory_order_relaxed);
  const uint64_t kept = groups_.load(std::memory_order_relaxed) & ~uint64_t{0xffffffff};
  groups_.store(kept | a.groups, std::memory_order_relaxed);
  return {};
}

Result<void> NetlinkEndpoint::autobind(const Caller& caller) {
  if (port() != 0) return {};
  port_.store(TRY(table().bind(*this, 0, static_cast<uint32_t>(caller.number_of(caller.pid)))),
              std::memory_order_relaxed);
  return {};
}

Result<void> NetlinkEndpoint::connect(const Caller& caller, std::span<const std::byte> address, WaitPoint&) {
  if (TRY(address.size() < sizeof(uint16_t) ? Result<int>(Errno::inval) : address_family(address)) ==
      family_number::unspec) {
    peer_.store(0, std::memory_order_relaxed);
    return {};
  }
  const SockaddrNetlink a = TRY(parse(address));
  if ((a.port || a.groups) && !is_capable(caller.creds, net(), Cap::net_admin)) return Errno::perm;
  TRY(autobind(caller));
  peer_.store(a.port, std::memory_order_relaxed);
  return {};
}

Result<void> NetlinkEndpoint::name(Address& out, bool peer) {
  const uint32_t port = (peer ? peer_ : port_).load(std::memory_order_relaxed);
  show({family_number::netlink, 0, port, peer ? 0 : static_cast<uint32_t>(groups())}, out);
  return {};
}

// ---- asking ----

Result<size_t> NetlinkEndpoint::send(SendMessage& message) {
  if (message.flags & msg_flag::oob) return Errno::opnotsupp;
  const size_t size = message.data.remaining();
  uint32_t to = peer_.load(std::memory_order_relaxed), groups = 0;
  if (message.has_address) {
    const SockaddrNetlink a = TRY(parse(message.address));
    to = a.port;
    groups = a.groups;
    if ((to || groups) && !is_capable(message.caller.creds, net(), Cap::net_admin)) return Errno::perm;
  }
  TRY(autobind(message.caller));
  if (size > options.send_buffer.load(std::memory_order_relaxed) || size > kRequestMax) return Errno::msgsize;
  Vec<std::byte> bytes;
  if (!bytes.resize(size)) return Errno::nobufs;
  if (size > 0 && TRY(message.data.get(bytes.data(), size)) != size) return Errno::fault;
  message.done = size;
  if (to != 0 || groups != 0) return to ? Result<size_t>(Errno::connrefused) : size;  // nobody but the kernel
  TRY(process(message.caller, bytes.span()));
  return size;
}

// netlink(7): an answer that found no room is lost, and the reader is told.
void NetlinkEndpoint::overrun() {
  if (switches_.load(std::memory_order_relaxed) >> kNoOverrun & 1) return;
  set_error(Errno::nobufs);
  queue().wake_all(err);
}

// For what changes something the same bits mean something else.
bool NetlinkEndpoint::dumps(const NetlinkHeader& header) const {
  constexpr unsigned kKind = 3, kGet = 2;
  if ((header.flags & netlink_flag::dump) != netlink_flag::dump) return false;
  return protocol() != netlink_protocol::route || (header.type & kKind) == kGet;
}

// netlink(7): several requests may come in one message.
Result<void> NetlinkEndpoint::process(const Caller& caller, std::span<const std::byte> bytes) {
  NetlinkHeader header;
  while (bytes.size() >= sizeof header) {
    __builtin_memcpy(&header, bytes.data(), sizeof header);
    if (header.size < sizeof header || header.size > bytes.size()) return {};
    const std::span<const std::byte> message = bytes.first(header.size);
    if ((header.flags & netlink_flag::request) && header.type >= netlink_type::first) {
      Result<void> done = answer(caller, message, header);
      const bool dumped = done && dumps(header);
      if (!done || ((header.flags & netlink_flag::ack) && !dumped))
        acknowledge(message, header, done ? Errno{} : done.error());
    } else if (header.flags & netlink_flag::ack) {
      acknowledge(message, header, Errno{});
    }
    bytes = bytes.subspan(std::min(netlink_align(header.size), bytes.size()));
  }
  return {};
}

Result<void> NetlinkEndpoint::answer(const Caller& caller, std::span<const std::byte> message,
                                     const NetlinkHeader& header) {
  constexpr unsigned kKind = 3, kGet = 2;
  const bool asks = protocol() != netlink_protocol::route || (header.type & kKind) == kGet;
  const bool dump = dumps(header);
  if (dump && dump_waits_.load(std::memory_order_relaxed) > 0) return Errno::busy;
  if (asks && !has_room(room())) {
    overrun();
    return {};
  }
  NetlinkWriter writer(port(), header.sequence);
  const std::span<const std::byte> body = message.subspan(sizeof header);
  if (protocol() == netlink_protocol::sock_diag) {
    TRY(answer_diag_request(net(), header, body, writer));
  } else if (protocol() == netlink_protocol::route) {
    TRY(answer_route_request(net().inet(), is_capable(caller.creds, net(), Cap::net_admin), header, body,
                             writer));
  } else {
    return Errno::opnotsupp;
  }
  if (dump) {
    writer.begin(netlink_type::done, netlink_flag::multi);
    writer.put(int32_t{0});
    writer.end();
  }
  TRY(writer.status());
  queue_answers(writer, dump);
  return {};
}

// NLMSG_ERROR: with the whole request if it failed, with its header if it did not.
void NetlinkEndpoint::acknowledge(std::span<const std::byte> message, const NetlinkHeader& header,
                                  Errno error) {
  NetlinkWriter writer(port(), header.sequence);
  const bool capped = switches_.load(std::memory_order_relaxed) >> kCapAck & 1;
  const bool whole = error != Errno{} && !capped;
  writer.begin(netlink_type::error, whole ? uint16_t{0} : netlink_flag::capped);
  writer.put(-static_cast<int32_t>(error));
  writer.bytes(message.data(), whole ? message.size() : sizeof header);
  writer.end();
  if (writer.status()) queue_answers(writer, false);
}

void NetlinkEndpoint::queue_answers(NetlinkWriter& writer, bool dump) {
  Vec<Vec<std::byte>>& pieces = writer.pieces();
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!has_room(dump ? std::max(room(), kDumpMax) : room())) return overrun();
    queue_message(std::move(pieces[i]), 0, dump, dump && i + 1 < pieces.size());
  }
}

// ---- hearing ----

void NetlinkEndpoint::take(Vec<std::byte> bytes, uint32_t group) {
  if (!has_room(room())) return overrun();
  queue_message(std::move(bytes), group);
}

void NetlinkEndpoint::queue_message(Vec<std::byte> bytes, uint32_t group, bool dump, bool more) {
  if (Ref<SocketFilter> chosen = filter()) {
    const uint32_t keep = chosen->run(BytesView(bytes.span()));
    if (keep == 0) return;
    if (keep < bytes.size() && !bytes.resize(keep)) return overrun();
  }
  const auto charge = static_cast<uint32_t>(bytes.size() + kMessageCharge);
  Unique<Message> message = make<Message>();
  if (!message) return overrun();
  message->bytes = std::move(bytes);
  message->group = group;
  message->dump = dump;
  message->more = more;
  charged_.fetch_add(charge, std::memory_order_relaxed);
  if (more) dump_waits_.fetch_add(1, std::memory_order_relaxed);
  {
    LockGuard guard(lock_);
    // What comes while a dump waits stands in front of what Linux would not have made yet: of all its pieces
    // but the next.
    auto at = messages_.end();
    if (!dump && dump_waits_.load(std::memory_order_relaxed) > 0) {
      auto is_dump = [](const Message& m) { return m.dump; };
      at = std::find_if(messages_.begin(), messages_.end(), is_dump);
      if (at != messages_.end()) at = std::find_if(std::next(at), messages_.end(), is_dump);
    }
    messages_.insert(at, *message.release());
  }
  queue().wake_all(kArrived);
}

Result<size_t> NetlinkEndpoint::receive(ReceiveMessage& message) {
  if (message.flags & msg_flag::oob) return Errno::opnotsupp;
  if (int32_t e = take_error()) return static_cast<Errno>(e);
  Unique<Message> taken;
  const bool peek = message.flags & msg_flag::peek;
  {
    LockGuard guard(lock_);
    if (!messages_.empty()) {
      Message& front = messages_.front();
      if (peek) {
        // A copy: another reader may take the original meanwhile.
        taken = make<Message>();
        if (!taken || !taken->bytes.resize(front.bytes.size())) return Errno::nobufs;
        __builtin_memcpy(taken->bytes.data(), front.bytes.data(), front.bytes.size());
        taken->group = front.group;
      } else {
        messages_.pop_front();
        taken.reset(&front);
      }
    }
  }
  if (!taken) return message.wait.at(*this, queue(), kArrived | err);
  const size_t whole = taken->bytes.size();
  if (!peek) {
    charged_.fetch_sub(static_cast<uint32_t>(whole + kMessageCharge), std::memory_order_relaxed);
    if (taken->more) dump_waits_.fetch_sub(1, std::memory_order_relaxed);
  }
  const size_t n = std::min<size_t>(whole, message.data.remaining());
  if (n < whole) message.out_flags |= msg_flag::trunc;
  if (n > 0 && TRY(message.data.put(taken->bytes.data(), n)) != n) return Errno::fault;
  if (message.want_address) {
    const uint32_t mask = taken->group && taken->group <= 32 ? 1u << (taken->group - 1) : 0;
    show({family_number::netlink, 0, 0, mask}, message.address);
    message.has_address = true;
  }
  if (switches_.load(std::memory_order_relaxed) >> kPktInfo & 1)
    message.control.put(kSolNetlink, kPktInfo, std::as_bytes(std::span(&taken->group, 1)));
  message.done = n;
  return message.flags & msg_flag::trunc ? whole : n;
}

uint32_t NetlinkEndpoint::poll() {
  uint32_t bits = kWritable | (error() ? err : 0);
  LockGuard guard(lock_);
  return messages_.empty() ? bits : bits | kArrived;
}

Result<uint64_t> NetlinkEndpoint::ioctl(uint32_t request, uint64_t argument,
                                        const fs::IoctlContext& context) {
  return device_ioctl(net(), false, request, argument, context);
}

// ---- options ----

Result<void> NetlinkEndpoint::set_option(const Caller& caller, int level, int name, uint64_t address,
                                         uint32_t size) {
  if (level != kSolNetlink) return Errno::noprotoopt;
  const int32_t value = size >= sizeof(int32_t) ? TRY(read_option(caller, address, size)) : 0;
  if (name == kAddMembership || name == kDropMembership) {
    if (value < 1 || static_cast<uint32_t>(value) > kGroups) return Errno::inval;
    const uint64_t bit = uint64_t{1} << (value - 1);
    if (name == kAddMembership)
      groups_.fetch_or(bit, std::memory_order_relaxed);
    else
      groups_.fetch_and(~bit, std::memory_order_relaxed);
    return {};
  }
  if (name < kPktInfo || name > kLastSwitch || name == kListMemberships || name == 6 || name == 7)
    return Errno::noprotoopt;
  const uint32_t bit = 1u << name;
  if (value)
    switches_.fetch_or(bit, std::memory_order_relaxed);
  else
    switches_.fetch_and(~bit, std::memory_order_relaxed);
  return {};
}

Result<uint32_t> NetlinkEndpoint::get_option(const Caller& caller, int level, int name, uint64_t address,
                                             uint32_t size) {
  if (level != kSolNetlink) return Errno::noprotoopt;
  if (name == kListMemberships) {
    const uint64_t all = groups();
    TRY(give_option(caller, address, size & ~3u, &all, sizeof all));
    return uint32_t{sizeof all} | (size < sizeof all ? kGivenInPart : 0);
  }
  if (name < kPktInfo || name > kLastSwitch || name == 6 || name == 7) return Errno::noprotoopt;
  if (size < sizeof(int32_t)) return Errno::inval;
  return give_option(caller, address, size, static_cast<int32_t>(switches_.load() >> name & 1));
}

}  // namespace runsc::net
