#include "fs/notify.h"

#include "fs/inotify/inotify.h"
#include "fs/mount.h"

namespace runsc::fs {

constinit SpinLock g_inotify_lock{LockRank::fs_context};
constinit std::atomic<uint32_t> notify::g_watches{0};

namespace {

using namespace notify_bit;

constexpr size_t kBuckets = 256;
constexpr size_t kMaxName = 255;
constinit WatchedInode* g_table[kBuckets] GUARDED_BY(g_inotify_lock) = {};
constinit uint32_t g_cookie GUARDED_BY(g_inotify_lock) = 0;

WatchedInode*& bucket_of(const Inode& inode) REQUIRES(g_inotify_lock) {
  auto p = reinterpret_cast<uintptr_t>(&inode);
  return g_table[(p >> 6 ^ p >> 14) % kBuckets];
}

void drop_if_unwatched(WatchedInode& w, InotifyGrave& grave) REQUIRES(g_inotify_lock) {
  if (w.watches) return;
  WatchedInode** at = &bucket_of(*w.inode);
  while (*at != &w) at = &(*at)->next;
  *at = w.next;
  w.next = grave.inodes;
  grave.inodes = &w;
}

struct Happened {
  uint32_t events;
  uint32_t cookie = 0;
  std::string_view name = {};
  bool unlinked_file = false;  // what IN_EXCL_UNLINK leaves out
};

void tell_watches(WatchedInode* w, const Happened& h, InotifyGrave& grave) REQUIRES(g_inotify_lock) {
  if (!w) return;
  for (InotifyWatch *watch = w->watches, *next; watch; watch = next) {
    next = watch->next;
    if (!(watch->mask & h.events & (all_events | notify_bit::unmount))) continue;
    if (h.unlinked_file && (watch->mask & excl_unlink)) continue;
    watch->group.queue_locked(watch->wd, h.events, h.cookie, h.name);
    // The list of the inode stands: only this watch leaves it.
    if (watch->mask & oneshot) watch->group.end_watch_locked(*watch, grave);
  }
}

void end_watches(WatchedInode& w, InotifyGrave& grave) REQUIRES(g_inotify_lock) {
  // The last one takes the object to the grave, which outlives this.
  while (InotifyWatch* watch = w.watches) watch->group.end_watch_locked(*watch, grave);
}

// The directory that a dentry stands in, and its name there.
struct Entry {
  Ref<Dentry> parent;
  char name[kMaxName];
  size_t size = 0;
  explicit Entry(Dentry& dentry) {
    LockGuard guard(names_lock());
    if (dentry.parent_locked()) parent = Ref<Dentry>(*dentry.parent_locked());
    std::string_view text = dentry.name_locked();
    size = text.size() < kMaxName ? text.size() : kMaxName;
    __builtin_memcpy(name, text.data(), size);
  }
};

}  // namespace

WatchedInode* watched_inode(const Inode& inode) {
  for (WatchedInode* w = bucket_of(inode); w; w = w->next)
    if (w->inode.get() == &inode) return w;
  return nullptr;
}

void attach_watch(InotifyWatch& watch, Inode& inode, Unique<WatchedInode>& fresh) {
  WatchedInode* w = watched_inode(inode);
  if (!w) {
    w = fresh.release();
    WatchedInode*& first = bucket_of(inode);
    w->next = first;
    first = w;
  }
  watch.at = w;
  watch.next = w->watches;
  w->watches = &watch;
  notify::g_watches.fetch_add(1, std::memory_order_relaxed);
}

void detach_watch(InotifyWatch& watch, InotifyGrave& grave) {
  WatchedInode& w = *watch.at;
  InotifyWatch** at = &w.watches;
  while (*at != &watch) at = &(*at)->next;
  *at = watch.next;
  watch.next = grave.watches;
  grave.watches = &watch;
  notify::g_watches.fetch_sub(1, std::memory_order_relaxed);
  drop_if_unwatched(w, grave);
}

namespace notify {

bool is_watched(const Inode& inode) {
  LockGuard guard(g_inotify_lock);
  return watched_inode(inode) != nullptr;
}

void tell_path(const Path& path, uint32_t events, bool of_file) {
  if (!path.dentry || path.dentry->negative()) return;
  Inode& inode = *path.dentry->inode();
  if (inode.is_dir()) events |= is_dir;
  Entry entry(*path.dentry);
  Happened h{events};
  h.unlinked_file = of_file && path.dentry->removed();
  InotifyGrave grave;
  LockGuard guard(g_inotify_lock);
  if (entry.parent && entry.parent->inode()) {
    h.name = {entry.name, entry.size};
    tell_watches(watched_inode(*entry.parent->inode()), h, grave);
    h.name = {};
  }
  tell_watches(watched_inode(inode), h, grave);
}

void tell_entry(Inode& dir, std::string_view name, uint32_t events, uint32_t cookie) {
  InotifyGrave grave;
  LockGuard guard(g_inotify_lock);
  tell_watches(watched_inode(dir), {events, cookie, name}, grave);
}

void tell_inode(Inode& inode, uint32_t events) {
  if (inode.is_dir()) events |= is_dir;
  InotifyGrave grave;
  LockGuard guard(g_inotify_lock);
  tell_watches(watched_inode(inode), {events}, grave);
}

namespace {
// The count of links changed, which is an attribute.
void lost_name(Inode& inode, bool last_name, InotifyGrave& grave) REQUIRES(g_inotify_lock) {
  WatchedInode* w = watched_inode(inode);
  if (!w) return;
  if (last_name) w->unlinked = true;
  if (!inode.is_dir()) tell_watches(w, {attrib}, grave);
}
}  // namespace

void tell_removed(Inode& inode, bool last_name) {
  InotifyGrave grave;
  LockGuard guard(g_inotify_lock);
  lost_name(inode, last_name, grave);
}

void tell_ended(Inode& inode) {
  InotifyGrave grave;
  LockGuard guard(g_inotify_lock);
  WatchedInode* w = watched_inode(inode);
  if (!w || !w->unlinked) return;
  tell_watches(w, {remove_self}, grave);
  if ((w = watched_inode(inode))) end_watches(*w, grave);  // watches for one event went by themselves
}

void tell_moved(const Move& move) {
  uint32_t dir = move.moved.is_dir() ? is_dir : 0;
  InotifyGrave grave;
  LockGuard guard(g_inotify_lock);
  uint32_t cookie = ++g_cookie;
  tell_watches(watched_inode(move.from_dir), {moved_from | dir, cookie, move.from}, grave);
  tell_watches(watched_inode(move.to_dir), {moved_to | dir, cookie, move.to}, grave);
  if (move.replaced) lost_name(*move.replaced, move.last_name, grave);
  tell_watches(watched_inode(move.moved), {move_self}, grave);
}

uint32_t wanted(const Inode& inode) {
  LockGuard guard(g_inotify_lock);
  uint32_t mask = 0;
  if (WatchedInode* w = watched_inode(inode))
    for (InotifyWatch* watch = w->watches; watch; watch = watch->next) mask |= watch->mask & all_events;
  return mask;
}

void tell_lost(Inode& inode, uint32_t event) {
  if (inode.is_dir() && event != notify_bit::unmount) event |= is_dir;
  InotifyGrave grave;
  LockGuard guard(g_inotify_lock);
  tell_watches(watched_inode(inode), {event}, grave);
  if (WatchedInode* w = watched_inode(inode)) end_watches(*w, grave);
}

void tell_overflow(Inode& inode) {
  LockGuard guard(g_inotify_lock);
  if (WatchedInode* w = watched_inode(inode))
    for (InotifyWatch* watch = w->watches; watch; watch = watch->next) watch->group.overflow_locked();
}

uint32_t fresh_cookie() {
  LockGuard guard(g_inotify_lock);
  return ++g_cookie;
}

void tell_unmounted(SuperBlock& super) {
  InotifyGrave grave;
  LockGuard guard(g_inotify_lock);
  for (WatchedInode*& first : g_table)
    for (WatchedInode *w = first, *next; w; w = next) {
      next = w->next;
      if (&w->inode->super() != &super) continue;
      tell_watches(w, {notify_bit::unmount}, grave);
      end_watches(*w, grave);
    }
}

}  // namespace notify

}  // namespace runsc::fs
