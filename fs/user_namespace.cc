#include "fs/user_namespace.h"

namespace runsc::fs {

namespace {
constinit std::atomic<bool> g_exist{false};
}

bool user_namespaces_exist() { return g_exist.load(std::memory_order_relaxed); }

uint32_t IdMap::to_global(uint32_t id) const { return to_global(id, 1); }

uint32_t IdMap::to_global(uint32_t first, uint32_t count) const {
  for (const Extent& e : extents())
    if (first >= e.first && first - e.first < e.count && count <= e.count - (first - e.first))
      return e.lower + (first - e.first);
  return kNoId;
}

uint32_t IdMap::from_global(uint32_t id) const {
  for (const Extent& e : extents())
    if (id >= e.lower && id - e.lower < e.count) return e.first + (id - e.lower);
  return kNoId;
}

Result<void> IdMap::set(Vec<Extent> extents) {
  if (!empty()) return Errno::perm;
  extents_ = std::move(extents);
  // Release: who sees the count sees them all.
  count_.store(extents_.size(), std::memory_order_release);
  return {};
}

UserNamespace::UserNamespace(const Credentials& by)
    : Namespace(NamespaceKind::user),
      level_(by.user_ns ? by.user_ns->level() + 1 : 1),
      owner_uid_(by.euid),
      owner_gid_(by.egid),
      parent_could_setfcap_(by.has_own(Cap::setfcap)) {
  set_owner(by.user_ns);
  if (by.user_ns) setgroups_allowed.store(by.user_ns->setgroups_allowed.load());
}

Result<Ref<UserNamespace>> UserNamespace::create(const Credentials& by) {
  if (by.user_ns && by.user_ns->level() >= kMaxLevel) return Errno::nospc;
  if (uid_in(by.user_ns.get(), by.euid) == kNoId || gid_in(by.user_ns.get(), by.egid) == kNoId)
    return Errno::perm;
  Ref<UserNamespace> ns = make_ref<UserNamespace>(by);
  if (!ns) return Errno::nomem;
  g_exist.store(true, std::memory_order_relaxed);
  return ns;
}

uint32_t global_uid(const UserNamespace* ns, uint32_t id) { return ns ? ns->users.to_global(id) : id; }
uint32_t global_gid(const UserNamespace* ns, uint32_t id) { return ns ? ns->groups.to_global(id) : id; }
uint32_t uid_in(const UserNamespace* ns, uint32_t uid) { return ns ? ns->users.from_global(uid) : uid; }
uint32_t gid_in(const UserNamespace* ns, uint32_t gid) { return ns ? ns->groups.from_global(gid) : gid; }

uint32_t shown_uid(const UserNamespace* ns, uint32_t uid) {
  const uint32_t id = uid_in(ns, uid);
  return id == kNoId ? kOverflowId : id;
}

uint32_t shown_gid(const UserNamespace* ns, uint32_t gid) {
  const uint32_t id = gid_in(ns, gid);
  return id == kNoId ? kOverflowId : id;
}

bool is_within(const UserNamespace* inner, const UserNamespace* outer) {
  if (!outer) return true;
  while (inner && inner->level() > outer->level()) inner = inner->parent();
  return inner == outer;
}

bool is_capable(const Credentials& creds, const Namespace* over, Cap c) {
  const UserNamespace* own = creds.user_ns.get();
  const uint32_t own_level = own ? own->level() : 0;
  for (auto* ns = static_cast<const UserNamespace*>(over);; ns = ns->parent()) {
    if (ns == own) return creds.has_own(c);
    if (!ns || ns->level() <= own_level) return false;
    // Who made a namespace, and stands right above it, has every capability over it.
    if (ns->parent() == own && ns->owner_uid() == creds.euid) return true;
  }
}

bool is_capable_of(const Credentials& creds, uint32_t uid, uint32_t gid, Cap c) {
  if (!creds.has_own(c)) return false;
  const UserNamespace* ns = creds.user_ns.get();
  return !ns || (uid_in(ns, uid) != kNoId && gid_in(ns, gid) != kNoId);
}

bool owns(const Credentials& creds, uint32_t uid) {
  if (creds.fsuid == uid) return true;
  return creds.has_own(Cap::fowner) && uid_in(creds.user_ns.get(), uid) != kNoId;
}

void enter_user_namespace(Credentials& creds, Ref<UserNamespace> ns) {
  creds.securebits = 0;
  creds.inheritable = creds.ambient = 0;
  creds.permitted = creds.effective = creds.bounding = kAllCaps;
  creds.user_ns = std::move(ns);
}

}  // namespace runsc::fs
