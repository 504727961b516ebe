// NetConfig: interfaces, their addresses, routes and memberships of one network namespace: what ip(8) shows
// and sets, and what routing decides by.
#pragma once

#include "net/inet/interface.h"

namespace runsc::net {

// RTN_*, as rtnetlink(7) numbers them.
enum class RouteType : uint8_t {
  unicast = 1,
  local = 2,
  broadcast = 3,
  anycast = 4,
  multicast = 5,
  blackhole = 6,
  unreachable = 7,
  prohibit = 8,
};

struct RouteQuery {
  IpAddress destination;
  IpAddress source;        // any: to be chosen
  uint32_t interface = 0;  // must go out by it (SO_BINDTODEVICE, a scope); 0: free
  uint8_t tos = 0;
  bool direct = false;   // MSG_DONTROUTE: no gateways
  bool foreign = false;  // the source need not be ours (IP_TRANSPARENT, IP_HDRINCL)
  uint32_t mark = 0;
};

struct Route {
  Ref<Interface> interface;
  IpAddress source, destination;
  IpAddress next_hop;  // on the link of `interface`
  RouteType type = RouteType::unicast;
  uint32_t mtu = 0;         // of IP packets on this path (RFC 1191, 8201)
  uint32_t generation = 0;  // see NetConfig::generation()
  bool local() const { return type == RouteType::local; }
};

// A row of a routing table.
struct RouteEntry {
  static constexpr uint32_t kMain = 254, kLocal = 255;
  IpAddress destination;  // prefix
  IpAddress gateway;      // any: on the link
  IpAddress source;       // preferred; any: none
  uint32_t interface = 0, metric = 0, table = kMain, mtu = 0, flags = 0;
  uint8_t length = 0, protocol = 0, scope = 0, tos = 0;
  RouteType type = RouteType::unicast;
  uint64_t expires_ns = 0;                                                              // monotonic; 0: never
  static constexpr uint8_t kByRedirect = 1, kByKernel = 2, kByBoot = 3, kByAdvert = 9;  // RTPROT_*
  bool by_prefix = false;  // the prefix of a router advertisement (RFC 4861, 6.3.4)
  bool v4() const { return destination.is_v4(); }
};

// What became of the configuration, for those who watch (RTNLGRP_*).
struct ConfigWatcher {
  virtual void link_changed(const Interface& interface) = 0;
  virtual void address_changed(const Interface& interface, const InterfaceAddress& address, bool gone) = 0;
  virtual void route_changed(const RouteEntry& route, bool gone) = 0;

 protected:
  ~ConfigWatcher() = default;
};

class NetConfig {
 public:
  // ---- interfaces
  // `index` 0: the first behind all others. EEXIST (name), EBUSY (index), EINVAL (name), ENOMEM.
  Result<void> add_interface(Ref<Interface> interface, uint32_t index = 0);
  Ref<Interface> interface(uint32_t index) const;
  Ref<Interface> interface(std::string_view name) const;
  Interface* loopback() const { return loopback_; }  // there is always one
  Result<void> list_interfaces(Vec<Ref<Interface>>& out) const;
  // The flags that can be set (IFF_UP, ...). Going down takes IPv6 addresses and routes away. ENOMEM: all is
  // as it was.
  Result<void> set_flags(Interface& interface, uint32_t flags, uint32_t mask);
  Result<void> set_mtu(Interface& interface, uint32_t mtu);  // EINVAL
  // disable_ipv6: going off takes the addresses of IPv6 away, coming on brings those that come by themselves.
  void switch_ipv6(Interface& interface, bool on);
  void set_mtu6(Interface& interface, uint32_t mtu);                 // learnt from a router
  Result<void> rename(Interface& interface, std::string_view name);  // EINVAL, EEXIST, EBUSY: it is up
  void set_queue_length(Interface& interface, uint32_t n) { interface.send_queue_ = n; }

  // ---- addresses
  // EEXIST, ENOMEM; EACCES: an IPv6 one, where that is off. An IPv6 address of an Ethernet that has neither
  // address_flag::permanent nor no_dad is tentative until nobody else is found to have it (RFC 4862).
  Result<void> add_address(Interface& interface, const InterfaceAddress& address);
  // The address with its prefix (prefix ~0: any). EADDRNOTAVAIL. With a primary one of IPv4 the secondary
  // ones of its subnet go, or the first of them takes its place (promote_secondaries).
  Result<void> remove_address(Interface& interface, const IpAddress& address, uint32_t prefix);
  Result<void> list_addresses(const Interface& interface, Vec<InterfaceAddress>& out) const;
  // An address of ours; on `interface` only, if that is not 0. IPv4: all of 127/8 too.
  bool is_local(const IpAddress& address, uint32_t interface = 0) const;
  bool is_broadcast(const IpAddress& address, uint32_t interface = 0) const;
  // The address as it is, also while it cannot be used.
  bool find_address(const IpAddress& address, uint32_t interface, InterfaceAddress& out) const;
  // Other flags or times for an address that is there, if its generation has not changed. False: gone.
  bool change_address(Interface& interface, const IpAddress& address, uint32_t flags, uint32_t mask,
                      const InterfaceAddress* times = nullptr);
  // Both are in one subnet of IPv4 that the interface has.
  bool on_link(const Interface& interface, const IpAddress& a, const IpAddress& b) const;
  // Which address speaks to `destination` on the link of `interface`; any: none.
  IpAddress source_on(const Interface& interface, const IpAddress& destination) const;
  // The first IPv6 link-local address that can be used; any: none.
  IpAddress link_local(const Interface& interface) const;
  // What is past its time goes; gives the next time, ~0: none.
  uint64_t expire(Interface& interface, uint64_t now);
  // Whose the address is; null: nobody's.
  Ref<Interface> owner(const IpAddress& address) const;

  // ---- routes
  Result<void> add_route(const RouteEntry& route, bool replace, bool exclusive);  // EEXIST, ENETUNREACH...
  // The same route (destination, gateway, interface, metric) with other times, or one more.
  Result<void> put_route(const RouteEntry& route);
  Result<void> remove_route(const RouteEntry& route);    // ESRCH
  Result<void> list_routes(Vec<RouteEntry>& out) const;  // with the local table's
  // See Stack::route().
  Result<Route> route(const RouteQuery& query) const;
  // Changes whenever a route() could give something else.
  uint32_t generation() const { return generation_.load(std::memory_order_acquire); }
  // RFC 4861, 8.3: `router`, by whom we send to `destination` now, says that `target` is nearer. False: it is
  // not.
  bool redirect(const IpAddress& destination, const IpAddress& router, const IpAddress& target,
                uint32_t interface);
  void path_mtu(const IpAddress& destination, uint32_t mtu);  // learnt (RFC 1191); for ten minutes

  // ---- multicast
  Result<void> join(uint32_t interface, const IpAddress& group);  // counted. ENODEV, ENOMEM
  void leave(uint32_t interface, const IpAddress& group);
  bool is_member(uint32_t interface, const IpAddress& group) const;
  struct Group {
    IpAddress group;
    uint32_t interface, users;
  };
  Result<void> list_groups(Vec<Group>& out) const;

  void stop();  // the interfaces', before the stack ends

  void set_watcher(ConfigWatcher* watcher) { watcher_.store(watcher, std::memory_order_release); }

 private:
  struct PathMtuEntry {
    IpAddress destination;
    uint32_t mtu = 0;
    uint64_t until_ns = 0;
  };
  Interface* find_locked(uint32_t index) const REQUIRES(lock_);
  bool change_flags_locked(Interface& interface, uint32_t flags, uint32_t mask) REQUIRES(lock_);
  Result<void> routes_follow_locked(Interface& interface) REQUIRES(lock_);
  Result<void> add_implied_locked(const Interface& interface, std::span<const InterfaceAddress> addresses)
      REQUIRES(lock_);
  InterfaceAddress* find_address_locked(Interface& interface, const IpAddress& address, uint32_t prefix)
      REQUIRES(lock_);
  Result<void> remove_one(Interface& interface, const IpAddress& address, uint32_t prefix);
  bool find_secondary(Interface& interface, const InterfaceAddress& primary, InterfaceAddress& out);
  void promote(Interface& interface, const InterfaceAddress& secondary);
  bool is_local_locked(const IpAddress& address, uint32_t interface) const REQUIRES(lock_);
  Interface* owner_locked(const IpAddress& address, uint32_t interface) const REQUIRES(lock_);
  bool is_broadcast_locked(const IpAddress& address, uint32_t interface) const REQUIRES(lock_);
  IpAddress source_locked(const Interface& interface, const IpAddress& destination, uint8_t max_scope) const
      REQUIRES(lock_);
  IpAddress source6_locked(const Interface& interface, const IpAddress& destination) const REQUIRES(lock_);
  const RouteEntry* lookup_locked(const RouteQuery& query) const REQUIRES(lock_);
  Result<Route> finish_locked(const RouteQuery& query, Interface& out, RouteType type, IpAddress next_hop,
                              IpAddress preferred, uint32_t mtu) const REQUIRES(lock_);
  Result<Route> local_route_locked(const RouteQuery& query) const REQUIRES(lock_);
  Result<Route> group_route_locked(const RouteQuery& query, RouteType type) const REQUIRES(lock_);
  Result<Interface*> bound_locked(const RouteQuery& query) const REQUIRES(lock_);
  uint32_t path_mtu_locked(const IpAddress& destination, uint32_t mtu) const REQUIRES(lock_);
  Result<void> insert_route_locked(const RouteEntry& route) REQUIRES(lock_);
  void drop_routes_locked(const Interface& interface, const InterfaceAddress* of, bool v6only)
      REQUIRES(lock_);
  void changed() { generation_.fetch_add(1, std::memory_order_acq_rel); }
  ConfigWatcher* watcher() const { return watcher_.load(std::memory_order_acquire); }

  mutable SpinLock lock_{LockRank::net_config};
  Vec<Ref<Interface>> interfaces_ GUARDED_BY(lock_);  // by index, which they never change
  Interface* loopback_ = nullptr;
  Vec<RouteEntry> routes_ GUARDED_BY(lock_);  // longest prefixes first, then smallest metric
  Vec<Group> groups_ GUARDED_BY(lock_);
  static constexpr size_t kPathMtus = 64;
  PathMtuEntry path_mtus_[kPathMtus] GUARDED_BY(lock_);
  std::atomic<uint32_t> generation_{1};
  std::atomic<ConfigWatcher*> watcher_{nullptr};
};

// What an address of an interface brings along in the tables: the local address itself, broadcasts, the
// prefix.
void implied_routes(const Interface& interface, const InterfaceAddress& address, Vec<RouteEntry>& out,
                    Result<void>& status);

}  // namespace runsc::net
