#include "kernel/async_io.h"

#include "fs/epoll/epoll.h"
#include "fs/pipe/pipe.h"
#include "fs/tty/tty.h"
#include "kernel/pid.h"
#include "kernel/signal/signal.h"
#include "net/types.h"

namespace runsc::kernel {

constinit std::atomic<bool> g_async_ready{false};

namespace {

using namespace fs::poll_bit;
constexpr uint32_t kReadable = in | rdnorm | rdband | pri;
constexpr uint32_t kWritable = out | wrnorm | wrband;

class AsyncFile;
constexpr size_t kBuckets = 64;
// Files with an owner or O_ASYNC, by address. Under fs::file_watch_lock().
constinit AsyncFile* g_files[kBuckets] = {};
// Owners, registrations, and who has something to tell. Taken under the locks of wait queues.
constinit SpinLock g_lock{LockRank::leaf};
constinit AsyncFile* g_ready GUARDED_BY(g_lock) = nullptr;

AsyncFile*& bucket_of(const fs::File& file) {
  auto p = reinterpret_cast<uintptr_t>(&file);
  return g_files[(p >> 6 ^ p >> 12) % kBuckets];
}

// One signal to be sent.
struct Telling {
  FileOwner owner;
  int signal, fd;
  uint32_t events;
};

// What fcntl(2) keeps of a file. Goes with the file.
class AsyncFile final : public HeapObject, public Waiter, public fs::FileWatch {
 public:
  explicit AsyncFile(fs::File& file) : file_(file) {}

  // Under file_watch_lock(), as those below.
  static AsyncFile* find(const fs::File& file) {
    for (AsyncFile* a = bucket_of(file); a; a = a->next_)
      if (&a->file_ == &file) return a;
    return nullptr;
  }
  static Result<AsyncFile*> find_or_make(fs::File& file) {
    if (AsyncFile* there = find(file)) return there;
    AsyncFile* fresh = make<AsyncFile>(file).release();
    if (!fresh) return Errno::nomem;
    AsyncFile*& first = bucket_of(file);
    fresh->next_ = first;
    first = fresh;
    fresh->attach(file);
    return fresh;
  }
  void set_owner(const FileOwner& owner) {
    LockGuard guard(g_lock);
    owner_ = owner;
  }
  FileOwner owner() {
    LockGuard guard(g_lock);
    return owner_;
  }
  void set_fd(int fd) {
    LockGuard guard(g_lock);
    fd_ = fd;
  }
  Telling telling(uint32_t events) {
    LockGuard guard(g_lock);
    return {owner_, file_.owner_signal.load(std::memory_order_relaxed), fd_, events};
  }
  void enable(int fd) {
    set_fd(fd);
    if (!std::exchange(enabled_, true)) watch();
  }
  void disable() {
    if (!std::exchange(enabled_, false)) return;
    leave_ready();
    watch();
  }
  // Listens for what is wanted: SIGURG comes without O_ASYNC to whoever owns a socket.
  void watch() {
    WaitQueue* q = file_.watch_queue();
    if (!q) return;
    q->remove(*this);
    const uint32_t events = wanted();
    {
      LockGuard guard(g_lock);
      mask_ = events;
    }
    if (events) q->add(*this, events);
  }
  void file_gone() override {
    if (WaitQueue* q = file_.watch_queue()) q->remove(*this);
    leave_ready();
    AsyncFile** at = &bucket_of(file_);
    while (*at != this) at = &(*at)->next_;
    *at = next_;
    detach();
    delete this;
  }

  bool notify(uint32_t events) override {
    LockGuard guard(g_lock);
    events_ |= events & mask_;
    if (!std::exchange(ready_, true)) {
      ready_next_ = g_ready;
      g_ready = this;
    }
    g_async_ready.store(true, std::memory_order_relaxed);
    return false;
  }
  static bool take(Telling& t) {
    LockGuard guard(g_lock);
    AsyncFile* a = g_ready;
    if (!a) return false;
    g_ready = a->ready_next_;
    a->ready_ = false;
    t = {a->owner_, a->file_.owner_signal.load(std::memory_order_relaxed), a->fd_,
         std::exchange(a->events_, 0)};
    return true;
  }

 private:
  // Terminals tell of input alone: room to write wakes their queue at every turn.
  uint32_t wanted() const {
    const uint32_t urgent = file_.kind() == fs::FileKind::socket ? net::kUrgentEvent : 0;
    if (!enabled_) return urgent;
    uint32_t events = urgent | (file_.readable() ? kReadable : 0);
    if (file_.kind() == fs::FileKind::inotify) events |= msg;  // F_NOTIFY
    if (file_.writable() && file_.kind() != fs::FileKind::tty) events |= kWritable | fs::kPipeTaken;
    return events;
  }
  void leave_ready() {
    LockGuard guard(g_lock);
    if (!std::exchange(ready_, false)) return;
    AsyncFile** at = &g_ready;
    while (*at != this) at = &(*at)->ready_next_;
    *at = ready_next_;
    events_ = 0;
  }

  fs::File& file_;
  AsyncFile* next_ = nullptr;  // under file_watch_lock(), as `enabled_`
  bool enabled_ = false;
  FileOwner owner_ GUARDED_BY(g_lock);
  int fd_ GUARDED_BY(g_lock) = -1;
  uint32_t events_ GUARDED_BY(g_lock) = 0, mask_ GUARDED_BY(g_lock) = 0;
  bool ready_ GUARDED_BY(g_lock) = false;
  AsyncFile* ready_next_ GUARDED_BY(g_lock) = nullptr;
};

bool may_signal(const FileOwner& by, const Task& target) {
  Ref<fs::Credentials> c = target.creds_ref();
  if (!c) return false;
  return by.effective_uid == 0 || by.effective_uid == c->suid || by.effective_uid == c->uid ||
         by.uid == c->suid || by.uid == c->uid;
}

// SIGIO without a word, or the signal that was asked for, with descriptor and band (sigaction(2), si_band).
abi::SigInfo info_of(const Telling& t, bool readable) {
  if (t.signal == 0) return abi::SigInfo(abi::sig::io, abi::sig_code::kernel);
  constexpr int kPollIn = 1, kPollOut = 2, kPollMessage = 3;
  const bool message = t.events & msg;
  abi::SigInfo info(t.signal, message ? kPollMessage : readable ? kPollIn : kPollOut);
  info.poll.band = message ? in | rdnorm | msg : readable ? in | rdnorm : out | wrnorm | wrband;
  info.poll.fd = t.fd;
  return info;
}

void send_one(const Telling& t, Task& target, bool readable) {
  if (!may_signal(t.owner, target)) return;
  bool to_process = t.owner.type != OwnerType::thread;
  // A signal of somebody's choice kills no init.
  const Origin origin = t.signal == 0 ? Origin::kernel : Origin::user;
  if (queue_signal(target, to_process, info_of(t, readable), origin)) return;
  // The queue of real-time signals is full.
  (void)queue_signal(target, to_process, abi::SigInfo(abi::sig::io, abi::sig_code::kernel), Origin::kernel);
}

Ref<Task> leader_of(ThreadGroup& group) {
  LockGuard tree(g_tree_lock);
  return group.leader ? Ref<Task>(*group.leader) : Ref<Task>();
}

// Calls f(Task&) for everybody whom the owner names.
template <class F>
void for_each_owner(const FileOwner& owner, F&& f) {
  if (owner.id == 0) return;
  if (owner.type != OwnerType::group) {
    Ref<Task> task = find_task(owner.id);
    if (task && (owner.type == OwnerType::thread || task->group().pid == owner.id)) f(*task);
    return;
  }
  for (int32_t from = 1;;) {
    Ref<ThreadGroup> group = next_group(from);
    if (!group) return;
    from = group->pid + 1;
    if (group->pgid != owner.id) continue;
    if (Ref<Task> task = leader_of(*group)) f(*task);
  }
}

bool exists(const FileOwner& owner) {
  bool any = false;
  for_each_owner(owner, [&](Task&) { any = true; });
  return any;
}

// F_SETOWN wants a number that means something, not necessarily as what it is given.
bool number_in_use(int32_t id) { return find_task(id) || exists({OwnerType::group, id}); }

}  // namespace

bool signals_readiness(fs::File& file) {
  switch (file.kind()) {
    case fs::FileKind::pipe:
    case fs::FileKind::tty:
    case fs::FileKind::socket:
    case fs::FileKind::inotify:
      return true;
    case fs::FileKind::other:  // streams of the host
      return file.watch_queue() != nullptr;
    default:
      return false;
  }
}

namespace {

Result<void> enable_async(Task& task, fs::File& file, int fd) {
  LockGuard guard(fs::file_watch_lock());
  AsyncFile* a = TRY(AsyncFile::find_or_make(file));
  if (file.kind() == fs::FileKind::tty && a->owner().id == 0) {  // the foreground group hears of a terminal
    const fs::Credentials& c = task.creds();
    fs::Tty* slave = fs::tty_of(file);
    int32_t group = slave ? slave->foreground_group() : 0;
    a->set_owner(group > 0 ? FileOwner{OwnerType::group, group, c.uid, c.euid}
                           : FileOwner{OwnerType::process, task.pid(), c.uid, c.euid});
  }
  a->enable(fd);
  return {};
}

}  // namespace

Result<void> set_async(Task& task, fs::File& file, int fd, bool on) {
  if (on) {
    TRY(enable_async(task, file, fd));
    (void)file.poll();  // streams of the host tell only those who have asked
    return {};
  }
  LockGuard guard(fs::file_watch_lock());
  if (AsyncFile* a = AsyncFile::find(file)) a->disable();
  return {};
}

Result<void> set_file_owner(Task& task, fs::File& file, OwnerType type, int32_t id) {
  if (id != 0 && (id < 0 || !number_in_use(id))) return Errno::srch;
  LockGuard guard(fs::file_watch_lock());
  AsyncFile* a = TRY(AsyncFile::find_or_make(file));
  a->set_owner({type, id, task.creds().uid, task.creds().euid});
  a->watch();
  return {};
}

Result<void> set_lease_owner(Task& task, fs::File& file, int fd) {
  LockGuard guard(fs::file_watch_lock());
  AsyncFile* a = TRY(AsyncFile::find_or_make(file));
  if (a->owner().id == 0) a->set_owner({OwnerType::process, task.pid(), task.creds().uid, task.creds().euid});
  a->set_fd(fd);
  return {};
}

void tell_lease_broken(fs::File& file) {
  Telling t{};
  {
    LockGuard guard(fs::file_watch_lock());
    AsyncFile* a = AsyncFile::find(file);
    if (!a) return;
    t = a->telling(in | rdnorm | msg);
  }
  for_each_owner(t.owner, [&](Task& target) { send_one(t, target, true); });
}

FileOwner file_owner(fs::File& file) {
  FileOwner owner;
  {
    LockGuard guard(fs::file_watch_lock());
    if (AsyncFile* a = AsyncFile::find(file)) owner = a->owner();
  }
  if (!exists(owner)) owner.id = 0;
  return owner;
}

void send_async_signals() {
  g_async_ready.store(false, std::memory_order_relaxed);
  Telling t;
  while (AsyncFile::take(t)) {
    if (t.events & net::kUrgentEvent) {
      for_each_owner(t.owner, [&](Task& target) {
        if (!may_signal(t.owner, target)) return;
        const abi::SigInfo info(abi::sig::urg, abi::sig_code::kernel);
        (void)queue_signal(target, t.owner.type != OwnerType::thread, info, Origin::kernel);
      });
    }
    for (bool readable : {true, false}) {
      if (!(t.events & (readable ? kReadable : kWritable | fs::kPipeTaken))) continue;
      for_each_owner(t.owner, [&](Task& target) { send_one(t, target, readable); });
    }
  }
}

}  // namespace runsc::kernel
