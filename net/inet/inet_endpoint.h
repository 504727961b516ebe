// InetEndpoint: what sockets of AF_INET and AF_INET6 have in common (ip(7), ipv6(7)): names, options of
// SOL_IP and SOL_IPV6, the error queue, how packets of theirs are sent.
#pragma once

#include "net/endpoint.h"
#include "net/inet/error_queue.h"
#include "net/inet/ip_options.h"
#include "net/inet/memberships.h"
#include "net/inet/stack.h"

namespace runsc::net {

// What sendmsg(2)'s ancillary data asks for one message, or the socket's own settings.
struct InetSendControl {
  IpSendOptions options;
  IpAddress source;           // IP_PKTINFO, IPV6_PKTINFO; any: the socket's
  uint32_t interface = 0;     // the same, or sin6_scope_id
  uint16_t segment_size = 0;  // UDP_SEGMENT
};

struct TcpInfo;

class InetEndpoint : public Endpoint, public PortEntry {
 public:
  ~InetEndpoint() override;

  Stack& stack() const;
  bool v6() const { return domain() == family_number::inet6; }

  // bind(2) with the checks of Linux: EINVAL, EAFNOSUPPORT, EADDRNOTAVAIL, EACCES, EADDRINUSE. Then claim().
  Result<void> bind(const Caller& caller, std::span<const std::byte> address) override;
  Result<void> name(Address& out, bool peer) override;
  // SOL_SOCKET's SO_BINDTODEVICE, SO_REUSE*..., and SOL_IP, SOL_IPV6. A class with levels of its own
  // overrides the second pair and calls these for the others.
  Result<void> set_socket_option(const Caller& caller, int name, uint64_t address, uint32_t size) override;
  Result<uint32_t> get_socket_option(const Caller& caller, int name, uint64_t address,
                                     uint32_t size) override;
  Result<void> set_option(const Caller& caller, int level, int name, uint64_t address,
                          uint32_t size) override;
  Result<uint32_t> get_option(const Caller& caller, int level, int name, uint64_t address,
                              uint32_t size) override;
  // SIOCGIF..., SIOCGSTAMP and the like; ENOTTY otherwise.
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) override;

  // An ICMP error for a packet of this socket. No locks held. The default does what UDP does: IP_RECVERR's
  // queue, SO_ERROR where `error.hard` or IP_RECVERR, and wakes. False: the packet cannot have been its own.
  virtual bool icmp_error(const IcmpError& error);

  // PortEntry's.
  bool entry_try_ref() override { return try_ref(); }
  void entry_unref() override { unref(); }
  InetEndpoint* entry_endpoint() override { return this; }

  // Whether it gets multicasts to `group` that came in by `interface` (IP_MULTICAST_ALL).
  bool takes_group(const IpAddress& group, uint32_t interface) const;

  // Snapshots for /proc/net and sock_diag.
  struct Names {
    SocketAddress local, peer;
  };
  Names names();
  struct Facts {
    uint8_t state = 7;  // as TCP numbers them: 1 connected, 7 closed, 10 listening...; 0: not shown
    uint8_t timer = 0, retransmits = 0, shut = 0;
    uint32_t expires_ms = 0, receive_queue = 0, send_queue = 0;
    bool orphan = false;  // no file stands for it any more
  };
  virtual Facts facts() { return {}; }
  // TCP_INFO and the algorithm's name; empty: not TCP, or no connection's full socket.
  virtual std::string_view tcp_facts(TcpInfo&) { return {}; }
  // SK_MEMINFO_* of sock_diag(7).
  struct MemoryFacts {
    uint32_t receive_used, receive_most, send_used, send_most, forward, send_queued, options, backlog, drops;
  };
  MemoryFacts memory_facts(const Facts& facts) const;
  uint8_t tos(bool v6) const { return v6 ? ip.traffic_class : ip.tos; }
  bool only_v6() const { return ip.has(ip_bit::v6only); }
  uint32_t uid() const { return uid_; }
  uint64_t ino() const { return ino_.load(std::memory_order_relaxed); }
  void attached(Socket& file) override;
  uint32_t bound_device() const { return device_.load(std::memory_order_relaxed); }

 protected:
  // `table`: where names of this protocol stand; null: none (raw sockets).
  InetEndpoint(const Caller& caller, NetworkNamespace& net, int domain, int type, int protocol,
               PortTable* table);
  // A socket that a listener makes for a connection: options and settings of `listener`.
  InetEndpoint(InetEndpoint& listener);

  PortTable* table() const { return table_; }
  PortClaim claim_locked() const REQUIRES(lock_);
  // The name is good: take it. Default: the table. Called under lock_, after local_.address has been set.
  virtual Result<void> claim_name_locked(uint16_t port) REQUIRES(lock_);
  // bind(2) would come too late (default: it has a port).
  virtual bool named_locked() const REQUIRES(lock_) { return local_.port != 0; }
  virtual bool checks_port_privilege() const { return true; }

  // A destination that the application gave. EINVAL, EAFNOSUPPORT, ENETUNREACH (mapped address on a V6ONLY
  // socket).
  Result<SocketAddress> destination(std::span<const std::byte> address) const;
  // A query for `to` with source, device, TOS, multicast interface as the socket's options say.
  RouteQuery query_locked(const IpAddress& to, uint32_t scope) const REQUIRES(lock_);
  // Route to the peer, from cache while it is valid.
  Result<Route> peer_route_locked() REQUIRES(lock_);
  // The socket's settings for packets to `to`.
  IpSendOptions send_options(const IpAddress& to) const;
  // Reads msg_control. EINVAL, EPERM.
  Result<void> read_control(const SendMessage& message, InetSendControl& out) const;
  // What IP_RECVTOS, IP_PKTINFO, SO_TIMESTAMP... ask to be told of a packet.
  void put_control(ReceiveMessage& message, const Packet& packet);

  // The error queue (IP_RECVERR): MSG_ERRQUEUE's receive. EAGAIN: empty.
  Result<size_t> receive_error(ReceiveMessage& message);
  // `payload`: how many bytes of the quoted packet stand in front of what the application sent.
  void queue_error(const IcmpError& error, uint16_t port, uint32_t payload);
  // icmp_error()'s end: the queue if `queued`, SO_ERROR, and whoever waits.
  void tell_icmp(const IcmpError& error, Errno what, bool queued, uint16_t port, uint32_t payload);
  void clear_errors() { uncharge_receive(errors_.clear()); }
  // What send() itself found: EMSGSIZE.
  void queue_local_error(Errno error, const SocketAddress& to, uint32_t info);
  bool wants_errors() const { return ip.has(v6() ? ip_bit::recv_err6 : ip_bit::recv_err); }
  // What poll(2) says of pending errors: POLLERR, POLLPRI.
  uint32_t error_poll() const;

  // Who made the socket pays for what comes to it from outside.
  AccountId owner() const { return owner_; }
  // For whom what is done about a packet is done: whoever sent it, else the owner.
  AccountId payer() const {
    const AccountId now = arch::cpu_local().account;
    return now != kNoAccount ? now : owner_;
  }
  // SO_RCVBUF, and what the owner may keep: counts `packet.info.charge`. False: no room.
  bool charge_receive(Packet& packet);
  bool charge_receive(uint32_t charge);
  void uncharge_receive(uint32_t charge) { received_.fetch_sub(charge, std::memory_order_relaxed); }
  uint32_t received_memory() const { return received_.load(std::memory_order_relaxed); }
  // Ends what the base has: names, memberships, errors. For release().
  void release_names();
  void leave_groups() { memberships_.leave_all(stack().config); }
  // connect(2) of datagram and raw sockets: a route, and the addresses that come of it.
  struct Peer {
    SocketAddress address;
    Route route;
  };
  Result<Peer> find_peer_locked(std::span<const std::byte> address) REQUIRES(lock_);
  // EACCES: a broadcast without SO_BROADCAST.
  Result<void> check_broadcast(const Route& route) const;

  mutable SpinLock lock_{LockRank::socket};
  SocketAddress local_ GUARDED_BY(lock_), peer_ GUARDED_BY(lock_);  // port 0: none
  IpAddress asked_local_ GUARDED_BY(lock_);                         // what bind(2) was given
  bool asked_port_ GUARDED_BY(lock_) = false;
  bool has_peer_ GUARDED_BY(lock_) = false;
  Route route_ GUARDED_BY(lock_);  // to the peer
  IpSettings ip;                   // read without a lock, as Options
  std::atomic<int64_t> last_stamp_ns_{0};
  std::atomic<uint32_t> drops_{0};

 private:
  struct Value;
  bool push_error(Unique<ErrorRecord> record);
  Result<void> bind_v4(const Caller& caller, const SocketAddress& wanted);
  Result<void> bind_v6(const Caller& caller, const SocketAddress& wanted);
  Result<void> take_name(const Caller& caller, const SocketAddress& wanted, bool only6);
  Result<void> bind_device(const Caller& caller, uint64_t address, uint32_t size);
  Result<void> bind_index(const Caller& caller, int32_t index);
  Result<void> set_ip(const Caller& caller, int name, uint64_t address, uint32_t size);
  Result<void> set_ip_number(const Caller& caller, int name, int32_t value);
  Result<int32_t> ip_number(int name);
  Result<void> set_ip6(const Caller& caller, int name, uint64_t address, uint32_t size);
  Result<void> set_ip6_number(const Caller& caller, int name, int32_t value);
  Result<int32_t> ip6_number(int name);
  Result<void> set_multicast_interface(const Caller& caller, uint64_t address, uint32_t size);
  Result<void> change_membership(const Caller& caller, int name, uint64_t address, uint32_t size);
  Result<void> change_membership6(const Caller& caller, int name, uint64_t address, uint32_t size);
  Result<void> change_group(const Caller& caller, int name, uint64_t address, uint32_t size);
  Result<void> member(const IpAddress& group, uint32_t interface, bool join);
  Result<void> read_control4(const ControlReader::Item& item, InetSendControl& out) const;
  Result<void> read_control6(const ControlReader::Item& item, InetSendControl& out) const;
  void put_control4(ReceiveMessage& message, const Packet& packet);
  void put_control6(ReceiveMessage& message, const Packet& packet);
  void put_stamp(ReceiveMessage& message, const Packet& packet);

  PortTable* const table_;
  const uint32_t uid_;
  const AccountId owner_;
  std::atomic<uint64_t> ino_{0};
  std::atomic<uint32_t> device_{0}, received_{0};
  ErrorQueue errors_;
  Memberships memberships_;
};

}  // namespace runsc::net
