// inotify(7): watches on inodes, and queues of what happened to them.
#pragma once

#include <boost/intrusive/set.hpp>

#include "fs/file.h"
#include "fs/inode.h"
#include "fs/notify.h"

namespace runsc::fs {

// /proc/sys/fs/inotify.
struct InotifyLimits {
  std::atomic<uint32_t> queued_events{16384}, user_instances{128}, user_watches{131072};
};
InotifyLimits& inotify_limits();

class Inotify;
struct InotifyWatch;
// An inode that somebody watches; keeps it.
struct WatchedInode : HeapObject {
  explicit WatchedInode(Inode& i) : inode(i) {}
  const Ref<Inode> inode;
  InotifyWatch* watches = nullptr;
  WatchedInode* next = nullptr;  // in the table; in a grave
  bool unlinked = false;         // its last name is gone: it ends with the last open file
};

// Guards every watch, every table of them and every queue of events.
extern constinit SpinLock g_inotify_lock;

struct InotifyWatch : HeapObject, boost::intrusive::set_base_hook<> {
  InotifyWatch(Inotify& g, int number, uint32_t m) : group(g), wd(number), mask(m) {}
  Inotify& group;
  const int wd;
  uint32_t mask;
  WatchedInode* at = nullptr;
  InotifyWatch* next = nullptr;  // at the same inode; in a grave
  friend bool operator<(const InotifyWatch& a, const InotifyWatch& b) { return a.wd < b.wd; }
};

struct InotifyEvent : HeapObject {
  int32_t wd = -1;
  uint32_t mask = 0, cookie = 0;
  String name;
  InotifyEvent* next = nullptr;
  size_t size() const;  // as read(2) gives it
};

// What is to be destroyed once the lock is released: the last count of an inode may call the host.
class InotifyGrave {
 public:
  InotifyGrave() = default;
  InotifyGrave(const InotifyGrave&) = delete;
  ~InotifyGrave();
  InotifyWatch* watches = nullptr;
  WatchedInode* inodes = nullptr;
};

class Inotify final : public File {
 public:
  // inotify_init1(2). EMFILE: the user has too many; ENOMEM.
  static Result<Ref<Inotify>> create(uint32_t flags, uint32_t uid);
  // Nobody reads it: its queue of waiters is told of events (poll_bit::msg), and nothing is kept. ENOMEM.
  static Result<Ref<Inotify>> create_silent();
  ~Inotify() override;
  bool watching() const;

  // inotify_add_watch(2) of an inode that was found and may be read. The number. EEXIST, ENOSPC, ENOMEM.
  Result<int> add(Inode& inode, uint32_t mask);
  Result<void> remove(int wd);  // EINVAL

  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override;
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &queue_; }
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const IoctlContext& context) override;
  FileKind kind() const override { return FileKind::inotify; }
  void describe(TextSink& out) const override { out.write("anon_inode:inotify"); }
  void fdinfo(TextSink& out) const override;

  // For fs/notify, under g_inotify_lock.
  void queue_locked(int wd, uint32_t mask, uint32_t cookie, std::string_view name) REQUIRES(g_inotify_lock);
  // Events are lost from here on.
  void overflow_locked() REQUIRES(g_inotify_lock);
  // Takes the watch out of both tables and says IN_IGNORED.
  void end_watch_locked(InotifyWatch& watch, InotifyGrave& grave) REQUIRES(g_inotify_lock);

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Inotify(uint32_t flags, uint32_t uid, bool silent);
  void push_locked(InotifyEvent& event) REQUIRES(g_inotify_lock);
  InotifyEvent* pop_locked() REQUIRES(g_inotify_lock);
  Result<int> add_alone(Inode& inode, uint32_t mask);
  Result<int> change_locked(InotifyWatch& watch, uint32_t mask) REQUIRES(g_inotify_lock);

  using Watches = boost::intrusive::set<InotifyWatch, boost::intrusive::constant_time_size<true>>;
  static constexpr uint32_t kNobody = ~0u;  // whose silent ones are
  const uint32_t uid_;
  const bool silent_;
  Watches watches_ GUARDED_BY(g_inotify_lock);
  int next_wd_ GUARDED_BY(g_inotify_lock) = 1;
  InotifyEvent *first_ GUARDED_BY(g_inotify_lock) = nullptr, *last_ GUARDED_BY(g_inotify_lock) = nullptr;
  size_t events_ GUARDED_BY(g_inotify_lock) = 0, bytes_ GUARDED_BY(g_inotify_lock) = 0;
  InotifyEvent overflow_;
  bool overflow_queued_ GUARDED_BY(g_inotify_lock) = false;
  Inotify *next_ GUARDED_BY(g_inotify_lock) = nullptr,
                 *prev_ GUARDED_BY(g_inotify_lock) = nullptr;  // instances
  WaitQueue queue_;
  friend struct InotifyInstances;
};

// The table of watched inodes (notify.cc). Null: nobody watches it.
WatchedInode* watched_inode(const Inode& inode) REQUIRES(g_inotify_lock);
// Adds the watch; `fresh` is used if the inode is watched for the first time.
void attach_watch(InotifyWatch& watch, Inode& inode, Unique<WatchedInode>& fresh) REQUIRES(g_inotify_lock);
void detach_watch(InotifyWatch& watch, InotifyGrave& grave) REQUIRES(g_inotify_lock);

}  // namespace runsc::fs
