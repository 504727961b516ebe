// Interfaces, addresses, memberships. Routes: routes.cc.
#include "net/inet/net_config.h"

#include <algorithm>

#include "kernel/base/check.h"

namespace runsc::net {

namespace {

constexpr uint32_t kSettable = interface_flag::up | interface_flag::debug | interface_flag::promisc |
                               interface_flag::allmulti | interface_flag::multicast | interface_flag::noarp;
constexpr uint32_t kLeastMtu4 = 68, kLeastMtu6 = 1280;

bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > Interface::kNameMax || name == "." || name == "..") return false;
  return std::none_of(name.begin(), name.end(), [](char c) { return c == '/' || c == ':' || c <= ' '; });
}

}  // namespace

Interface::Interface(Stack& stack, std::string_view name, uint32_t flags, uint32_t mtu)
    : stack_(stack), flags_(flags), mtu_(mtu) {
  __builtin_memcpy(name_, name.data(), std::min(name.size(), kNameMax));
}

// ---- interfaces ----

Interface* NetConfig::find_locked(uint32_t index) const {
  for (const Ref<Interface>& i : interfaces_)
    if (i->index() == index) return i.get();
  return nullptr;
}

Result<void> NetConfig::add_interface(Ref<Interface> interface, uint32_t wish) {
  if (!valid_name(interface->name()) || wish > 0x7fffffff) return Errno::inval;
  Interface& fresh = *interface;
  {
    LockGuard guard(lock_);
    uint32_t index = 1;
    size_t at = 0;
    for (const Ref<Interface>& i : interfaces_) {
      if (i->name() == fresh.name()) return Errno::exist;
      if (i->index() == wish) return Errno::busy;
      if (wish && i->index() < wish) ++at;
      index = std::max(index, i->index() + 1);
    }
    fresh.index_ = wish ? wish : index;
    TRY(interfaces_.insert(wish ? at : interfaces_.size(), std::move(interface)));
    if (fresh.is_loopback()) loopback_ = &fresh;
    changed();
  }
  fresh.attached();
  if (ConfigWatcher* w = watcher()) w->link_changed(fresh);
  return {};
}

Ref<Interface> NetConfig::interface(uint32_t index) const {
  LockGuard guard(lock_);
  Interface* found = find_locked(index);
  return found ? Ref<Interface>(*found) : Ref<Interface>();
}

Ref<Interface> NetConfig::interface(std::string_view name) const {
  LockGuard guard(lock_);
  for (const Ref<Interface>& i : interfaces_)
    if (i->name() == name) return i;
  return {};
}

Result<void> NetConfig::list_interfaces(Vec<Ref<Interface>>& out) const {
  LockGuard guard(lock_);
  for (const Ref<Interface>& i : interfaces_) TRY(out.push_back(i));
  return {};
}

// False: they were so.
bool NetConfig::change_flags_locked(Interface& interface, uint32_t flags, uint32_t mask) {
  const uint32_t before = interface.flags();
  uint32_t after = (before & ~mask) | (flags & mask);
  constexpr uint32_t kRuns = interface_flag::running | interface_flag::lower_up;
  after = after & interface_flag::up ? after | kRuns : after & ~kRuns;
  if (after == before) return false;
  interface.flags_.store(after, std::memory_order_relaxed);
  return true;
}

// It has come up, or gone down.
Result<void> NetConfig::routes_follow_locked(Interface& interface) {
  if (!interface.up()) {
    drop_routes_locked(interface, nullptr, false);
    return {};
  }
  Result<void> status;
  for (const InterfaceAddress& a : interface.addresses_) {
    Vec<RouteEntry> implied;
    implied_routes(interface, a, implied, status);
    for (const RouteEntry& r : implied)
      if (status && r.table == RouteEntry::kMain) status = insert_route_locked(r);
  }
  return status;
}

Result<void> NetConfig::set_flags(Interface& interface, uint32_t flags, uint32_t mask) {
  bool went;
  {
    LockGuard guard(lock_);
    const bool was_up = interface.up();
    if (!change_flags_locked(interface, flags, mask & kSettable)) return {};
    changed();
    went = was_up != interface.up();
    if (went) TRY(routes_follow_locked(interface));
  }
  interface.flags_changed();
  if (ConfigWatcher* w = watcher()) w->link_changed(interface);
  if (went && interface.up()) interface.came_up();
  if (went && !interface.up()) interface.went_down();
  return {};
}

Result<void> NetConfig::set_mtu(Interface& interface, uint32_t mtu) {
  const bool loopback = interface.is_loopback();
  if (mtu < kLeastMtu4 && !loopback) return Errno::inval;
  if (mtu > 0x7fffffff) return Errno::inval;
  if (!loopback && mtu > 65535) return Errno::inval;
  interface.mtu_.store(mtu, std::memory_order_relaxed);
  changed();
  if (ConfigWatcher* w = watcher()) w->link_changed(interface);
  return {};
}

Result<void> NetConfig::rename(Interface& interface, std::string_view name) {
  if (!valid_name(name)) return Errno::inval;
  {
    LockGuard guard(lock_);
    if (interface.up()) return Errno::busy;
    for (const Ref<Interface>& i : interfaces_)
      if (i->name() == name && i.get() != &interface) return Errno::exist;
    char fresh[Interface::kNameMax + 1] = {};
    __builtin_memcpy(fresh, name.data(), name.size());
    __builtin_memcpy(interface.name_, fresh, sizeof fresh);
  }
  if (ConfigWatcher* w = watcher()) w->link_changed(interface);
  return {};
}

// ---- addresses ----

Result<void> NetConfig::add_address(Interface& interface, const InterfaceAddress& address) {
  {
    LockGuard guard(lock_);
    for (const InterfaceAddress& a : interface.addresses_)
      if (a.address == address.address && (!a.address.is_v4() || a.prefix == address.prefix))
        return Errno::exist;
    if (!address.address.is_v4() && interface.mtu() < kLeastMtu6) return Errno::nobufs;
    InterfaceAddress fresh = address;
    constexpr uint32_t kPermanent = 0x80, kSecondary = 1;
    fresh.flags |= kPermanent;
    for (const InterfaceAddress& a : interface.addresses_)
      if (a.address.is_v4() && fresh.address.is_v4() && a.prefix == fresh.prefix &&
          a.address.matches(fresh.address, a.prefix))
        fresh.flags |= kSecondary;
    TRY(interface.addresses_.push_back(fresh));
    if (interface.up()) {
      Result<void> status;
      Vec<RouteEntry> implied;
      implied_routes(interface, fresh, implied, status);
      for (const RouteEntry& r : implied)
        if (status && r.table == RouteEntry::kMain) status = insert_route_locked(r);
      TRY(std::move(status));
    }
    changed();
  }
  if (ConfigWatcher* w = watcher()) w->address_changed(interface, address, false);
  return {};
}

Result<void> NetConfig::remove_address(Interface& interface, const IpAddress& address, uint32_t prefix) {
  InterfaceAddress gone;
  {
    LockGuard guard(lock_);
    Vec<InterfaceAddress>& all = interface.addresses_;
    size_t i = 0;
    while (i < all.size() && !(all[i].address == address && (prefix == ~0u || all[i].prefix == prefix))) ++i;
    if (i == all.size()) return Errno::addrnotavail;
    gone = all[i];
    all.erase(i);
    drop_routes_locked(interface, &gone, false);
    changed();
  }
  if (ConfigWatcher* w = watcher()) w->address_changed(interface, gone, true);
  return {};
}

Result<void> NetConfig::list_addresses(const Interface& interface, Vec<InterfaceAddress>& out) const {
  LockGuard guard(lock_);
  for (const InterfaceAddress& a : interface.addresses_) TRY(out.push_back(a));
  return {};
}

Interface* NetConfig::owner_locked(const IpAddress& address, uint32_t interface) const {
  for (const Ref<Interface>& i : interfaces_) {
    if (interface && i->index() != interface) continue;
    for (const InterfaceAddress& a : i->addresses_) {
      if (a.address == address) return i.get();
      // All of 127/8 if that is what lo has.
      if (address.is_v4() && i->is_loopback() && address.matches(a.address, a.prefix)) return i.get();
    }
  }
  return nullptr;
}

bool NetConfig::is_local_locked(const IpAddress& address, uint32_t interface) const {
  Interface* owner = owner_locked(address, interface);
  return owner && owner->up() && !is_broadcast_locked(address, owner->index());
}

bool NetConfig::is_local(const IpAddress& address, uint32_t interface) const {
  LockGuard guard(lock_);
  return is_local_locked(address, interface);
}

Ref<Interface> NetConfig::owner(const IpAddress& address) const {
  LockGuard guard(lock_);
  Interface* found = owner_locked(address, 0);
  return found ? Ref<Interface>(*found) : Ref<Interface>();
}

bool NetConfig::is_broadcast_locked(const IpAddress& address, uint32_t interface) const {
  if (!address.is_v4()) return false;
  if (address.is_broadcast()) return true;
  for (const Ref<Interface>& i : interfaces_) {
    if (interface && i->index() != interface) continue;
    for (const InterfaceAddress& a : i->addresses_) {
      if (!a.address.is_v4() || a.prefix > 30) continue;
      const uint32_t host = ~0u >> a.prefix;
      if (address.matches(a.address, a.prefix) && (address.v4() & host) == host) return true;
      if (!a.broadcast.is_any() && a.broadcast == address) return true;
    }
  }
  return false;
}

bool NetConfig::is_broadcast(const IpAddress& address, uint32_t interface) const {
  LockGuard guard(lock_);
  return is_broadcast_locked(address, interface);
}

// ---- multicast ----

Result<void> NetConfig::join(uint32_t interface, const IpAddress& group) {
  LockGuard guard(lock_);
  if (!find_locked(interface)) return Errno::nodev;
  for (Group& g : groups_) {
    if (g.interface != interface || g.group != group) continue;
    ++g.users;
    return {};
  }
  return groups_.push_back({group, interface, 1});
}

void NetConfig::leave(uint32_t interface, const IpAddress& group) {
  LockGuard guard(lock_);
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& g = groups_[i];
    if (g.interface != interface || g.group != group) continue;
    if (--g.users == 0) groups_.erase(i);
    return;
  }
}

bool NetConfig::is_member(uint32_t interface, const IpAddress& group) const {
  LockGuard guard(lock_);
  return std::any_of(groups_.begin(), groups_.end(),
                     [&](const Group& g) { return g.interface == interface && g.group == group; });
}

Result<void> NetConfig::list_groups(Vec<Group>& out) const {
  LockGuard guard(lock_);
  for (const Group& g : groups_) TRY(out.push_back(g));
  return {};
}

}  // namespace runsc::net
