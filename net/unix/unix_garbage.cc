// Files in flight (unix(7), SCM_RIGHTS), and sockets that are in flight in each other only: nobody will ever
// receive them, so they are found and their messages' files closed.
#include "kernel/base/check.h"
#include "net/rights.h"
#include "net/socket.h"
#include "net/unix/unix_endpoint.h"

namespace runsc::net {

// How many files of one user are in flight.
struct InflightUser : HeapObject {
  uint32_t uid = 0;
  uint64_t files = 0;
  InflightUser* next = nullptr;
};

namespace {
Mutex g_lock{LockRank::socket_rights};
constinit InflightUser* g_users GUARDED_BY(g_lock) = nullptr;
}  // namespace

// The collector's way into endpoints. All under g_lock.
class UnixGarbage {
 public:
  static void sent(UnixEndpoint& endpoint) REQUIRES(g_lock) {
    if (endpoint.inflight_++ == 0) link(endpoint);
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static void arrived(UnixEndpoint& endpoint) REQUIRES(g_lock) {
    if (--endpoint.inflight_ == 0) unlink(endpoint);
    count.store(count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  }
  // Takes the files out of the messages of all garbage.
  static Rights* sweep() REQUIRES(g_lock);

  static UnixEndpoint* inflight GUARDED_BY(g_lock);
  static std::atomic<uint64_t> count;  // also read as a hint without the lock

 private:
  static void link(UnixEndpoint& e) REQUIRES(g_lock) {
    e.inflight_next_ = inflight;
    e.inflight_at_ = &inflight;
    if (inflight) inflight->inflight_at_ = &e.inflight_next_;
    inflight = &e;
  }
  static void unlink(UnixEndpoint& e) REQUIRES(g_lock) {
    *e.inflight_at_ = e.inflight_next_;
    if (e.inflight_next_) e.inflight_next_->inflight_at_ = e.inflight_at_;
  }
  template <class F>
  static void for_each_inflight(F&& f) REQUIRES(g_lock) {
    for (UnixEndpoint* e = inflight; e; e = e->inflight_next_) f(*e);
  }
  // Calls f(Rights&) for each set of files in the queues of the endpoint and of connections that it has not
  // accepted.
  template <class F>
  static void for_each_message(UnixEndpoint& endpoint, F&& f) {
    LockGuard guard(endpoint.lock_);
    for (UnixMessage& m : endpoint.messages_)
      if (m.rights) f(m);
    for (UnixEndpoint* waiting = endpoint.incoming_first_; waiting; waiting = waiting->incoming_next_) {
      LockGuard inner(waiting->lock_);
      for (UnixMessage& m : waiting->messages_)
        if (m.rights) f(m);
    }
  }
  template <class F>
  static void for_each_child(UnixEndpoint& endpoint, F&& f) {
    for_each_message(endpoint, [&](UnixMessage& m) {
      for (Ref<fs::File>& file : m.rights->files())
        if (UnixEndpoint* child = unix_endpoint_of(*file); child && child->gc_candidate_) f(*child);
    });
  }
  static bool only_in_flight(UnixEndpoint& endpoint) {
    // In flight, so the file is there.
    return endpoint.file_.load(std::memory_order_acquire)->ref_count() == endpoint.inflight_;
  }
};

constinit UnixEndpoint* UnixGarbage::inflight = nullptr;
constinit std::atomic<uint64_t> UnixGarbage::count{0};

// A candidate has no references but those in flight. One that is in flight in something else than a candidate
// can be received, and so can all that is in its queue.
Rights* UnixGarbage::sweep() {
  for_each_inflight([](UnixEndpoint& e) {
    e.gc_candidate_ = only_in_flight(e);
    e.gc_reachable_ = false;
    e.gc_outside_ = e.inflight_;
  });
  for_each_inflight([](UnixEndpoint& e) {
    if (e.gc_candidate_) for_each_child(e, [](UnixEndpoint& child) { --child.gc_outside_; });
  });
  UnixEndpoint* work = nullptr;
  auto reach = [&](UnixEndpoint& e) {
    if (std::exchange(e.gc_reachable_, true)) return;
    e.gc_next_ = work;
    work = &e;
  };
  for_each_inflight([&](UnixEndpoint& e) {
    if (e.gc_candidate_ && e.gc_outside_ > 0) reach(e);
  });
  while (work) {
    UnixEndpoint& e = *work;
    work = e.gc_next_;
    for_each_child(e, reach);
  }
  Rights* found = nullptr;
  for_each_inflight([&](UnixEndpoint& e) {
    if (!e.gc_candidate_ || e.gc_reachable_) return;
    for_each_message(e, [&](UnixMessage& m) {
      Rights* rights = m.rights.release();
      rights->next_ = found;
      found = rights;
    });
  });
  return found;
}

// ---- closing one after the other ----

// Closes files for one thread. Nested calls of the same thread hand over to the outermost.
class Reaper {
 public:
  // True: the thread has one at work already, which will close `rights` too (null: only looks for garbage).
  static bool hand_over(Rights* rights) {
    LockGuard guard(lock);
    for (Reaper* r = first; r; r = r->next_) {
      if (&r->parker_ != &Parker::current()) continue;
      if (rights) {
        rights->next_ = r->rights_;
        r->rights_ = rights;
      } else {
        r->collect_ = true;
      }
      return true;
    }
    return false;
  }
  Reaper(Rights* rights, bool collect) : parker_(Parker::current()), rights_(rights), collect_(collect) {
    LockGuard guard(lock);
    next_ = first;
    first = this;
  }
  ~Reaper() {
    LockGuard guard(lock);
    Reaper** at = &first;
    while (*at != this) at = &(*at)->next_;
    *at = next_;
  }
  void run() {
    for (;;) {
      if (Rights* r = rights_) {
        rights_ = r->next_;
        r->land();
        delete r;
      } else if (std::exchange(collect_, false)) {
        LockGuard guard(g_lock);
        rights_ = UnixGarbage::sweep();
      } else {
        return;
      }
    }
  }

 private:
  static SpinLock lock;
  static Reaper* first GUARDED_BY(lock);
  Parker& parker_;
  Reaper* next_ = nullptr;
  Rights* rights_;  // the thread's own
  bool collect_;
};

constinit SpinLock Reaper::lock{LockRank::leaf};
constinit Reaper* Reaper::first = nullptr;

void Rights::destroy(Rights* rights) {
  if (!Reaper::hand_over(rights)) Reaper(rights, false).run();
}

void collect_garbage() {
  if (UnixGarbage::count.load(std::memory_order_relaxed) == 0) return;
  if (!Reaper::hand_over(nullptr)) Reaper(nullptr, true).run();
}

// ---- sets of files ----

Result<void> Rights::add(const Caller& caller, std::span<const std::byte> descriptors) {
  const size_t n = descriptors.size() / sizeof(int32_t);
  if (n > kMax || files_.size() + n > kMax) return Errno::inval;
  TRY(files_.reserve(files_.size() + n));
  for (size_t i = 0; i < n; ++i) {
    int32_t fd;
    __builtin_memcpy(&fd, descriptors.data() + i * sizeof fd, sizeof fd);
    TRY(files_.push_back(TRY(caller.files.get(fd))));
  }
  return {};
}

Result<Unique<Rights>> Rights::clone() const {
  Unique<Rights> copy = make<Rights>();
  if (!copy) return Errno::nomem;
  TRY(copy->files_.reserve(files_.size()));
  // The collector must not be at it while references appear that it has not counted.
  LockGuard guard(g_lock);
  for (const Ref<fs::File>& file : files_) TRY(copy->files_.push_back(file));
  return copy;
}

Result<void> Rights::take_off(const Caller& caller) {
  const uint32_t uid = caller.creds.uid;
  Unique<InflightUser> fresh = make<InflightUser>();
  LockGuard guard(g_lock);
  InflightUser* user = g_users;
  while (user && user->uid != uid) user = user->next;
  if (!user) {
    if (!fresh) return Errno::nomem;
    user = fresh.release();
    user->uid = uid;
    user->next = std::exchange(g_users, user);
  }
  if (user->files > caller.file_limit && !caller.creds.has(fs::Cap::sys_resource) &&
      !caller.creds.has(fs::Cap::sys_admin))
    return Errno::toomanyrefs;
  user->files += files_.size();
  user_ = user;
  for (Ref<fs::File>& file : files_)
    if (UnixEndpoint* endpoint = unix_endpoint_of(*file)) UnixGarbage::sent(*endpoint);
  return {};
}

void Rights::land() {
  if (!user_) return;
  InflightUser* gone = nullptr;
  {
    LockGuard guard(g_lock);
    user_->files -= files_.size();
    for (Ref<fs::File>& file : files_)
      if (UnixEndpoint* endpoint = unix_endpoint_of(*file)) UnixGarbage::arrived(*endpoint);
    if (user_->files == 0) {
      InflightUser** at = &g_users;
      while (*at != user_) at = &(*at)->next;
      *at = user_->next;
      gone = user_;
    }
    user_ = nullptr;
  }
  delete gone;
}

}  // namespace runsc::net
