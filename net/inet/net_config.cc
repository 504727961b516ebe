// Interfaces, addresses, memberships. Routes: routes.cc.
#include "net/inet/net_config.h"

#include <algorithm>

#include "kernel/base/check.h"
#include "net/inet/stack.h"
#include "net/services.h"

namespace runsc::net {

namespace {

constexpr uint32_t kSettable = interface_flag::up | interface_flag::debug | interface_flag::promisc |
                               interface_flag::allmulti | interface_flag::multicast | interface_flag::noarp;
constexpr uint32_t kLeastMtu4 = 68, kLeastMtu6 = 1280;
constexpr uint32_t kAnyPrefix = ~0u;

bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > Interface::kNameMax || name == "." || name == "..") return false;
  return std::none_of(name.begin(), name.end(), [](char c) { return c == '/' || c == ':' || c <= ' '; });
}

}  // namespace

Interface::Interface(Stack& stack, std::string_view name, uint32_t flags, uint32_t mtu)
    : stack_(stack), flags_(flags), mtu_(mtu) {
  settings.copy_from(stack.settings.defaults);
  __builtin_memcpy(name_, name.data(), std::min(name.size(), kNameMax));
}

uint32_t Interface::with_all(Setting InterfaceSettings::*which) const {
  return std::max((settings.*which).load(std::memory_order_relaxed),
                  (stack_.settings.all.*which).load(std::memory_order_relaxed));
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
  return add_implied_locked(interface, interface.addresses_.span());
}

Result<void> NetConfig::set_flags(Interface& interface, uint32_t flags, uint32_t mask) {
  bool went;
  {
    LockGuard guard(lock_);
    const uint32_t before = interface.flags();
    if (!change_flags_locked(interface, flags, mask & kSettable)) return {};
    went = ((before ^ interface.flags()) & interface_flag::up) != 0;
    if (went)
      if (auto followed = routes_follow_locked(interface); !followed) {
        interface.flags_.store(before, std::memory_order_relaxed);
        return followed;
      }
    changed();
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

void NetConfig::switch_ipv6(Interface& interface, bool on) {
  const uint32_t off = !on;
  if (interface.settings.disable_ipv6.exchange(off, std::memory_order_relaxed) == off || !interface.up())
    return;
  interface.ipv6_switched(on);
}

void NetConfig::set_mtu6(Interface& interface, uint32_t mtu) {
  if (interface.settings.mtu6.exchange(mtu, std::memory_order_relaxed) != mtu) changed();
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
  using namespace address_flag;
  InterfaceAddress fresh = address;
  {
    LockGuard guard(lock_);
    const bool v4 = address.address.is_v4();
    if (!v4 && interface.settings.disable_ipv6.load(std::memory_order_relaxed)) return Errno::acces;
    for (const InterfaceAddress& a : interface.addresses_)
      if (a.address == address.address && (!v4 || a.prefix == address.prefix)) return Errno::exist;
    if (!v4 && interface.mtu() < kLeastMtu6) return Errno::nobufs;
    const bool sure = v4 || interface.is_loopback() || fresh.flags & (permanent | no_dad) ||
                      interface.flags() & interface_flag::noarp;
    if (!sure) fresh.flags |= tentative;
    if (fresh.valid_ns == 0) fresh.flags |= permanent;
    if (fresh.made_ns == 0) fresh.made_ns = fresh.changed_ns = monotonic_ns();
    for (const InterfaceAddress& a : interface.addresses_)
      if (v4 && a.address.is_v4() && a.prefix == fresh.prefix && a.address.matches(fresh.address, a.prefix))
        fresh.flags |= secondary;
    TRY(interface.addresses_.push_back(fresh));
    if (interface.up())
      if (auto added = add_implied_locked(interface, {&fresh, 1}); !added) {
        interface.addresses_.pop_back();
        return added;
      }
    changed();
  }
  if (ConfigWatcher* w = watcher(); w && !fresh.tentative()) w->address_changed(interface, fresh, false);
  interface.address_added(fresh);
  return {};
}

InterfaceAddress* NetConfig::find_address_locked(Interface& interface, const IpAddress& address,
                                                 uint32_t prefix) {
  for (InterfaceAddress& a : interface.addresses_)
    if (a.address == address && (prefix == kAnyPrefix || a.prefix == prefix)) return &a;
  return nullptr;
}

Result<void> NetConfig::remove_address(Interface& interface, const IpAddress& address, uint32_t prefix) {
  InterfaceAddress first, other;
  {
    LockGuard guard(lock_);
    const InterfaceAddress* found = find_address_locked(interface, address, prefix);
    if (!found) return Errno::addrnotavail;
    first = *found;
  }
  const bool primary = address.is_v4() && !(first.flags & address_flag::secondary);
  const bool heir = interface.with_all(&InterfaceSettings::promote_secondaries) != 0;
  while (primary && !heir && find_secondary(interface, first, other))
    (void)remove_one(interface, other.address, other.prefix);
  TRY(remove_one(interface, address, first.prefix));
  if (primary && heir && find_secondary(interface, first, other)) promote(interface, other);
  return {};
}

Result<void> NetConfig::remove_one(Interface& interface, const IpAddress& address, uint32_t prefix) {
  InterfaceAddress gone;
  {
    LockGuard guard(lock_);
    const InterfaceAddress* found = find_address_locked(interface, address, prefix);
    if (!found) return Errno::addrnotavail;
    gone = *found;
    interface.addresses_.erase(static_cast<size_t>(found - interface.addresses_.data()));
    drop_routes_locked(interface, &gone, false);
    changed();
  }
  if (ConfigWatcher* w = watcher()) w->address_changed(interface, gone, true);
  interface.address_removed(gone);
  return {};
}

// The first one that is secondary because of `primary`.
bool NetConfig::find_secondary(Interface& interface, const InterfaceAddress& primary, InterfaceAddress& out) {
  LockGuard guard(lock_);
  for (const InterfaceAddress& a : interface.addresses_) {
    if (!a.address.is_v4() || !(a.flags & address_flag::secondary) || a.prefix != primary.prefix) continue;
    if (!a.address.matches(primary.address, primary.prefix)) continue;
    out = a;
    return true;
  }
  return false;
}

void NetConfig::promote(Interface& interface, const InterfaceAddress& secondary) {
  InterfaceAddress now;
  {
    LockGuard guard(lock_);
    InterfaceAddress* found = find_address_locked(interface, secondary.address, secondary.prefix);
    if (!found) return;
    found->flags &= ~address_flag::secondary;
    now = *found;
    // Without memory for its routes it is an address all the same.
    if (interface.up()) (void)add_implied_locked(interface, {&now, 1});
    changed();
  }
  if (ConfigWatcher* w = watcher()) w->address_changed(interface, now, false);
}

bool NetConfig::find_address(const IpAddress& address, uint32_t interface, InterfaceAddress& out) const {
  LockGuard guard(lock_);
  for (const Ref<Interface>& i : interfaces_) {
    if (interface && i->index() != interface) continue;
    for (const InterfaceAddress& a : i->addresses_) {
      if (a.address != address) continue;
      out = a;
      return true;
    }
  }
  return false;
}

bool NetConfig::change_address(Interface& interface, const IpAddress& address, uint32_t flags, uint32_t mask,
                               const InterfaceAddress* times) {
  InterfaceAddress now;
  {
    LockGuard guard(lock_);
    InterfaceAddress* found = nullptr;
    for (InterfaceAddress& a : interface.addresses_)
      if (a.address == address) found = &a;
    if (!found) return false;
    found->flags = (found->flags & ~mask) | (flags & mask);
    if (times) {
      found->valid_ns = times->valid_ns;
      found->preferred_ns = times->preferred_ns;
      found->changed_ns = times->changed_ns;
    }
    now = *found;
    changed();
  }
  if (ConfigWatcher* w = watcher(); w && !now.tentative()) w->address_changed(interface, now, false);
  return true;
}

bool NetConfig::on_link(const Interface& interface, const IpAddress& a, const IpAddress& b) const {
  LockGuard guard(lock_);
  return std::any_of(
      interface.addresses_.begin(), interface.addresses_.end(), [&](const InterfaceAddress& i) {
        return i.address.is_v4() && i.address.matches(a, i.prefix) && i.address.matches(b, i.prefix);
      });
}

IpAddress NetConfig::link_local(const Interface& interface) const {
  LockGuard guard(lock_);
  for (const InterfaceAddress& a : interface.addresses_)
    if (!a.address.is_v4() && a.address.is_link_local() && a.usable()) return a.address;
  return kAnyV6;
}

uint64_t NetConfig::expire(Interface& interface, uint64_t now) {
  using namespace address_flag;
  uint64_t next = ~uint64_t{0};
  for (bool more = true; more;) {
    more = false;
    InterfaceAddress due;
    RouteEntry old;
    bool route = false;
    {
      LockGuard guard(lock_);
      for (size_t i = 0; i < routes_.size() && !more; ++i) {
        const RouteEntry& r = routes_[i];
        if (r.interface != interface.index() || r.expires_ns == 0) continue;
        next = std::min(next, r.expires_ns);
        if (r.expires_ns > now) continue;
        old = r;
        more = route = true;
        routes_.erase(i);
        changed();
      }
      for (InterfaceAddress& a : interface.addresses_) {
        if (more) break;
        const bool preferred = !(a.flags & deprecated) && a.preferred_ns;
        if (a.valid_ns) next = std::min(next, a.valid_ns);
        if (preferred) next = std::min(next, a.preferred_ns);
        if ((a.valid_ns && a.valid_ns <= now) || (preferred && a.preferred_ns <= now)) due = a, more = true;
      }
    }
    if (!more) break;
    next = ~uint64_t{0};
    if (route) {
      if (ConfigWatcher* w = watcher()) w->route_changed(old, true);
    } else if (due.valid_ns && due.valid_ns <= now) {
      (void)remove_address(interface, due.address, due.prefix);
    } else {
      (void)change_address(interface, due.address, deprecated, deprecated);
    }
  }
  return next;
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
      if (!a.usable()) continue;
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
  Ref<Interface> link;
  {
    LockGuard guard(lock_);
    Interface* found = find_locked(interface);
    if (!found) return Errno::nodev;
    for (Group& g : groups_) {
      if (g.interface != interface || g.group != group) continue;
      ++g.users;
      return {};
    }
    TRY(groups_.push_back({group, interface, 1}));
    link = Ref<Interface>(*found);
  }
  link->group_joined(group);
  return {};
}

void NetConfig::leave(uint32_t interface, const IpAddress& group) {
  Ref<Interface> link;
  {
    LockGuard guard(lock_);
    for (size_t i = 0; i < groups_.size() && !link; ++i) {
      Group& g = groups_[i];
      if (g.interface != interface || g.group != group) continue;
      if (--g.users != 0) return;
      groups_.erase(i);
      if (Interface* found = find_locked(interface)) link = Ref<Interface>(*found);
    }
  }
  if (link) link->group_left(group);
}

void NetConfig::stop() {
  // Nobody else is there any more.
  Vec<Ref<Interface>> all;
  (void)list_interfaces(all);
  for (const Ref<Interface>& i : all) i->stop();
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
