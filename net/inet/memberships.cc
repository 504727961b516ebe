#include "net/inet/memberships.h"

#include <algorithm>

namespace runsc::net {

Result<void> Memberships::join(NetConfig& config, uint32_t interface, const IpAddress& group) {
  LockGuard guard(lock_);
  size_t of_family = 0;
  for (const Member& m : members_) {
    if (m.group == group && m.interface == interface) return Errno::addrinuse;
    of_family += m.group.is_v4() == group.is_v4();
  }
  if (group.is_v4() && of_family >= kMost4) return Errno::nobufs;
  if (!group.is_v4() && of_family >= kMost6) return Errno::nomem;
  TRY(members_.reserve(members_.size() + 1));
  TRY(config.join(interface, group));
  return members_.push_back({group, interface});
}

Result<void> Memberships::leave(NetConfig& config, uint32_t interface, const IpAddress& group) {
  LockGuard guard(lock_);
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member m = members_[i];
    if (m.group != group || (interface && m.interface != interface)) continue;
    members_.erase(i);
    config.leave(m.interface, group);
    return {};
  }
  return Errno::addrnotavail;
}

void Memberships::leave_all(NetConfig& config) {
  LockGuard guard(lock_);
  for (const Member& m : members_) config.leave(m.interface, m.group);
  members_.clear();
}

bool Memberships::has(uint32_t interface, const IpAddress& group) const {
  LockGuard guard(lock_);
  return std::any_of(members_.begin(), members_.end(),
                     [&](const Member& m) { return m.group == group && m.interface == interface; });
}

bool Memberships::any(bool v6) const {
  LockGuard guard(lock_);
  return std::any_of(members_.begin(), members_.end(),
                     [&](const Member& m) { return m.group.is_v4() != v6; });
}

}  // namespace runsc::net
