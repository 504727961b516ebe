#include "fs/hostfs/host_watch.h"

#include <algorithm>

#include "fs/notify.h"
#include "kernel/base/log.h"

namespace runsc::fs {

namespace {

using namespace notify_bit;
using Number = uint32_t;

// What the host is asked to tell of an inode. The watches keep the inode; this goes when the last of them
// has.
struct HostWatch : HeapObject {
  HostWatch(HostInode& i, Number n) : inode(i), number(n) {}
  HostInode& inode;
  const Number number;
  uint32_t mask = 0;
  boost::intrusive::set_member_hook<> by_inode, by_number;
};
struct InodeOf {
  using type = const HostInode*;
  type operator()(const HostWatch& w) const { return &w.inode; }
};
struct NumberOf {
  using type = Number;
  type operator()(const HostWatch& w) const { return w.number; }
};
template <auto Hook, class Key>
using Table =
    boost::intrusive::set<HostWatch,
                          boost::intrusive::member_hook<HostWatch, boost::intrusive::set_member_hook<>, Hook>,
                          boost::intrusive::key_of_value<Key>, boost::intrusive::constant_time_size<false>>;

// Changes of the tables, one after the other, together with what the host is told.
constinit Mutex g_update_lock{LockRank::hostfs};
constinit SpinLock g_table_lock{LockRank::dcache};
struct Tables : HeapObject {
  Table<&HostWatch::by_inode, InodeOf> by_inode;
  Table<&HostWatch::by_number, NumberOf> by_number;
  Number last = 0;
};
// Made for the first watch.
constinit Tables* g_tables GUARDED_BY(g_table_lock) = nullptr;

bool made_tables() {
  LockGuard guard(g_table_lock);
  return g_tables != nullptr;
}

HostWatch* find(const HostInode& inode) {
  LockGuard guard(g_table_lock);
  if (!g_tables) return nullptr;
  auto it = g_tables->by_inode.find(&inode);
  return it == g_tables->by_inode.end() ? nullptr : &*it;
}

HostWatch* insert(HostInode& inode) {
  LockGuard guard(g_table_lock);
  if (!g_tables) g_tables = make<Tables>().release();
  if (!g_tables) return nullptr;
  Tables& t = *g_tables;
  Number number = t.last;
  do {
    if (++number == 0) ++number;
  } while (t.by_number.find(number) != t.by_number.end());
  Unique<HostWatch> fresh = make<HostWatch>(inode, number);
  if (!fresh) return nullptr;
  t.last = number;
  t.by_inode.insert(*fresh);
  t.by_number.insert(*fresh);
  return fresh.release();
}

void take_out(HostWatch& watch) {
  Unique<HostWatch> gone(&watch);
  LockGuard guard(g_table_lock);
  g_tables->by_inode.erase(g_tables->by_inode.iterator_to(watch));
  g_tables->by_number.erase(g_tables->by_number.iterator_to(watch));
}

// An inode that is on its way out is nobody's to tell.
Ref<HostInode> inode_of(Number number) {
  LockGuard guard(g_table_lock);
  auto it = g_tables->by_number.find(number);
  if (it == g_tables->by_number.end() || !it->inode.try_ref()) return {};
  return Ref<HostInode>::adopt(&it->inode);
}

Ref<HostInode> next_inode(Number& after) {
  LockGuard guard(g_table_lock);
  for (auto it = g_tables->by_number.upper_bound(after); it != g_tables->by_number.end(); ++it) {
    after = it->number;
    if (it->inode.try_ref()) return Ref<HostInode>::adopt(&it->inode);
  }
  return {};
}

// The two halves of a rename(2) carry one cookie.
uint32_t own_cookie(uint32_t hosts) {
  static constinit uint32_t last_hosts = 0, last_own = 0;
  if (hosts == 0) return 0;
  if (hosts != last_hosts) last_hosts = hosts, last_own = notify::fresh_cookie();
  return last_own;
}

void tell(HostInode& inode, const hostcall::Change& change, std::string_view name) {
  const uint32_t events = change.mask & (all_events | is_dir);
  if (!name.empty()) return notify::tell_entry(inode, name, events, own_cookie(change.cookie));
  if (change.mask & attrib) inode.let_go_if_removed();
  if (change.mask & (remove_self | unmount))
    return notify::tell_lost(inode, change.mask & (remove_self | unmount));
  notify::tell_inode(inode, events & ~is_dir);
}

// False: the host's word makes no sense.
bool tell_all(const hostcall::TakeChanges::Reply& reply) {
  for (uint32_t at = 0; at < reply.size;) {
    hostcall::Change change;
    if (reply.size - at < sizeof change) return false;
    __builtin_memcpy(&change, reply.bytes + at, sizeof change);
    if (change.name_length > 255 || hostcall::change_size(change.name_length) > reply.size - at) return false;
    std::string_view name(reinterpret_cast<const char*>(reply.bytes + at) + sizeof change,
                          change.name_length);
    if (Ref<HostInode> inode = inode_of(change.watch)) tell(*inode, change, name);
    at += hostcall::change_size(change.name_length);
  }
  return true;
}

}  // namespace

void update_host_watch(HostInode& inode) {
  LockGuard guard(g_update_lock);
  uint32_t wanted = notify::wanted(inode) & hostcall::Watch::kKinds;
  // A watch ends with its file; that the last name is gone is told as a change of attributes.
  if (notify::wanted(inode) != 0) wanted |= remove_self | (inode.is_dir() ? 0 : attrib);
  HostWatch* watch = find(inode);
  if (wanted == 0) {
    if (!watch) return;
    const Number number = watch->number;
    take_out(*watch);
    (void)hostcall::call<hostcall::Unwatch>([&](hostcall::Unwatch::Request& r) { r = {number, 0}; });
    return;
  }
  if (watch && (wanted & ~watch->mask) == 0) return;
  if (!watch) watch = insert(inode);
  if (!watch) return log_warning("hostfs: no memory for a watch on the host");
  const uint32_t before = watch->mask;
  watch->mask |= wanted;
  auto reply = hostcall::call<hostcall::Watch>([&](hostcall::Watch::Request& r) {
    inode.write_path(r.path);
    r.watch = watch->number;
    r.mask = watch->mask;
  });
  if (reply) return;
  watch->mask = before;
  if (before == 0) take_out(*watch);
  log_warning("hostfs: the host does not tell of changes (errno {})", static_cast<uint32_t>(reply.error()));
}

bool take_host_changes() {
  constexpr int kMostReplies = 8;
  struct Copy : HeapObject {
    hostcall::TakeChanges::Reply reply;
  };
  Unique<Copy> copy = make<Copy>();
  if (!copy) {
    log_warning("hostfs: no memory to hear of changes on the host");
    return false;
  }
  hostcall::TakeChanges::Reply& reply = copy->reply;
  for (int i = 0; i < kMostReplies; ++i) {
    auto taken = hostcall::call<hostcall::TakeChanges>([](auto&) {});
    if (!taken) return false;
    reply = **taken;  // before anything else may use the frame
    if (!made_tables() || reply.size > sizeof reply.bytes || !tell_all(reply)) return false;
    Number after = 0;
    if (reply.overflowed)
      while (Ref<HostInode> inode = next_inode(after)) notify::tell_overflow(*inode);
    if (!reply.more) return false;
  }
  return true;
}

}  // namespace runsc::fs
