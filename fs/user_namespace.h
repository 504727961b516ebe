// User namespaces (user_namespaces(7)). Inside the kernel users and groups go by their numbers in the first
// one; at its edges they are translated for who stands in another. Null stands for the first one.
#pragma once

#include "fs/credentials.h"
#include "kernel/base/lock.h"
#include "kernel/base/namespace.h"
#include "kernel/base/result.h"
#include "kernel/base/vec.h"

namespace runsc::fs {

inline constexpr uint32_t kNoId = ~0u, kOverflowId = 65534;

// Which numbers of a namespace are which outside. Set once.
class IdMap {
 public:
  struct Extent {
    uint32_t first = 0;  // in the namespace
    uint32_t lower = 0;  // in the first namespace
    uint32_t count = 0;
  };
  static constexpr size_t kMaxExtents = 340;

  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  std::span<const Extent> extents() const {
    // The count first: before it is published there is nothing to look at.
    const size_t count = count_.load(std::memory_order_acquire);
    return count == 0 ? std::span<const Extent>() : std::span<const Extent>(extents_.data(), count);
  }
  // kNoId: none.
  uint32_t to_global(uint32_t id) const;
  uint32_t from_global(uint32_t id) const;
  // Of `count` numbers in a row.
  uint32_t to_global(uint32_t first, uint32_t count) const;
  // EPERM: it is set. Under the namespace's lock.
  Result<void> set(Vec<Extent> extents);

 private:
  Vec<Extent> extents_;
  std::atomic<size_t> count_{0};  // published last
};

class UserNamespace final : public Namespace {
 public:
  static constexpr uint32_t kMaxLevel = 32;
  // Below that of `by`, whose it is. ENOSPC: too deep. EPERM: who it is has no number where it stands.
  static Result<Ref<UserNamespace>> create(const Credentials& by);

  UserNamespace* parent() const { return static_cast<UserNamespace*>(Namespace::owner()); }
  uint32_t level() const { return level_; }
  uint32_t owner_uid() const { return owner_uid_; }
  uint32_t owner_gid() const { return owner_gid_; }
  bool parent_could_setfcap() const { return parent_could_setfcap_; }

  IdMap users, groups, projects;
  Mutex lock{LockRank::none};  // what is set once: the maps, setgroups
  std::atomic<bool> setgroups_allowed{true};

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit UserNamespace(const Credentials& by);
  const uint32_t level_, owner_uid_, owner_gid_;
  const bool parent_could_setfcap_;
};

// Whether one was ever made.
bool user_namespaces_exist();
// What `id` of the namespace is in the first one. kNoId: nothing.
uint32_t global_uid(const UserNamespace* ns, uint32_t id);
uint32_t global_gid(const UserNamespace* ns, uint32_t id);
// The other way round; kNoId, or 65534 where something must be shown.
uint32_t uid_in(const UserNamespace* ns, uint32_t uid);
uint32_t gid_in(const UserNamespace* ns, uint32_t gid);
uint32_t shown_uid(const UserNamespace* ns, uint32_t uid);
uint32_t shown_gid(const UserNamespace* ns, uint32_t gid);
inline uint32_t shown_uid(const Credentials& viewer, uint32_t uid) {
  return viewer.user_ns ? shown_uid(viewer.user_ns.get(), uid) : uid;
}
inline uint32_t shown_gid(const Credentials& viewer, uint32_t gid) {
  return viewer.user_ns ? shown_gid(viewer.user_ns.get(), gid) : gid;
}
// Whether `inner` is `outer` or below it.
bool is_within(const UserNamespace* inner, const UserNamespace* outer);
// Has `creds` the capability over what belongs to the namespace `over`?
bool is_capable(const Credentials& creds, const Namespace* over, Cap c);
// Over a file of this owner and group (capabilities(7)): they must mean something to who asks.
bool is_capable_of(const Credentials& creds, uint32_t uid, uint32_t gid, Cap c);
// Over a file of this owner as CAP_FOWNER gives it, or by being the owner.
bool owns(const Credentials& creds, uint32_t uid);
// Who enters a user namespace has every capability there, and none elsewhere. Before it is shared.
void enter_user_namespace(Credentials& creds, Ref<UserNamespace> ns);

}  // namespace runsc::fs
