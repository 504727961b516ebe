// NetlinkTable: the AF_NETLINK sockets of a network namespace, and who hears of changes (RTNLGRP_*).
#pragma once

#include <boost/intrusive/list.hpp>

#include "net/inet/net_config.h"

namespace runsc::net {

class NetlinkEndpoint;
class NetlinkWriter;
struct NeighbourRow;

class NetlinkEntry : public boost::intrusive::list_base_hook<> {
 public:
  virtual NetlinkEndpoint& netlink_endpoint() = 0;
  int listed_protocol = 0;
  uint32_t listed_port = 0;  // 0: not bound

 protected:
  ~NetlinkEntry() = default;
};

class NetlinkTable final : public HeapObject, public ConfigWatcher {
 public:
  explicit NetlinkTable(NetConfig& config) : config_(config) { config.set_watcher(this); }
  ~NetlinkTable() { config_.set_watcher(nullptr); }

  void add(NetlinkEntry& entry);
  void remove(NetlinkEntry& entry);
  // port 0: one that is free, `wish` first. EADDRINUSE.
  Result<uint32_t> bind(NetlinkEntry& entry, uint32_t port, uint32_t wish);
  // For all of a protocol that have joined the group.
  void multicast(int protocol, uint32_t group, NetlinkWriter& writer);
  Result<void> list(Vec<Ref<NetlinkEndpoint>>& out);

  void neighbour_changed(const Interface& interface, const NeighbourRow& row, bool gone);
  void link_changed(const Interface& interface) override;
  void address_changed(const Interface& interface, const InterfaceAddress& address, bool gone) override;
  void route_changed(const RouteEntry& route, bool gone) override;

 private:
  bool taken_locked(int protocol, uint32_t port) const REQUIRES(lock_);
  NetConfig& config_;
  SpinLock lock_{LockRank::socket_table};
  using List = boost::intrusive::list<NetlinkEntry, boost::intrusive::constant_time_size<true>>;
  List entries_ GUARDED_BY(lock_);
};

}  // namespace runsc::net
