// epoll(7).
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include "fs/file.h"

namespace runsc::fs {

namespace epoll_bit {
inline constexpr uint32_t exclusive = 1u << 28, wakeup = 1u << 29, oneshot = 1u << 30, edge = 1u << 31;
}

struct EpollEvent {  // struct epoll_event, packed on x86-64
  uint32_t events;
  uint64_t data;
} __attribute__((packed));

class Epoll;

// Guards the lists of watches of all files (FileWatch), and the life of epoll's items: taken before any
// epoll's own lock.
Mutex& file_watch_lock();

// One watched descriptor. It does not keep the file alive: the file's last reference removes it
// (File::last_ref).
class EpollItem final : public HeapObject,
                        public Waiter,
                        public boost::intrusive::set_base_hook<>,
                        public FileWatch {
 public:
  EpollItem(Epoll& epoll, File& file, int fd, EpollEvent event)
      : epoll_(epoll), file_(file), fd_(fd), first_events_(event.events), event_(event) {}
  bool notify(uint32_t events) override;
  void file_gone() override;
  friend bool operator<(const EpollItem& a, const EpollItem& b) {
    return &a.file_ != &b.file_ ? &a.file_ < &b.file_ : a.fd_ < b.fd_;
  }

 private:
  friend class Epoll;
  Epoll& epoll_;
  File& file_;
  const int fd_;
  const uint32_t first_events_;                      // with EPOLLEXCLUSIVE they cannot change
  EpollEvent event_;                                 // Epoll::lock_
  std::atomic<bool> spent_{false};                   // a spent EPOLLONESHOT: not worth waking anybody
  boost::intrusive::list_member_hook<> ready_hook_;  // Epoll::ready_lock_
};

// Where collect() puts events. False: it cannot take this one (EFAULT).
class EventSink {
 public:
  virtual bool put(const EpollEvent& event) = 0;

 protected:
  ~EventSink() = default;
};

// One in epoll_wait(2). Only its first notify() counts: what comes before it has run is for others.
class EpollSleeper final : public Waiter {
 public:
  EpollSleeper() : parker_(Parker::current()) {}
  bool notify(uint32_t) override {
    if (woken_) return false;
    woken_ = true;
    parker_.unpark();
    return true;
  }

 private:
  friend class Epoll;
  Parker& parker_;
  bool woken_ = false;  // under the queue's lock while on it
};

// Two queues: wait_queue() has those who poll the epoll descriptor, all told of each event; sleepers_ those
// in epoll_wait(2), of whom an event wakes one. A sleeper that waits on the queue has seen that nothing was
// ready, and counts once: EPOLLEXCLUSIVE relies on both.
class Epoll final : public File {
 public:
  static Result<Ref<Epoll>> create();
  ~Epoll() override;

  // epoll_ctl(2). EEXIST, ENOENT, ELOOP (a cycle, or nesting above 5), EPERM (a file without poll), ENOMEM.
  Result<void> add(int fd, File& file, EpollEvent event);
  Result<void> modify(int fd, File& file, EpollEvent event);
  Result<void> remove(int fd, File& file);
  // Hands out up to `max` of what is ready now; 0: nothing. EFAULT: the first could not be put.
  Result<size_t> collect(size_t max, EventSink& out);
  // Before parking. False: something may be ready, collect() again.
  bool add_sleeper(EpollSleeper& sleeper);
  void remove_sleeper(EpollSleeper& sleeper) { sleepers_.remove(sleeper); }
  // The file watched under the number `fd`, the one after `skip` others of that number: to be compared, not
  // used. ENOENT.
  Result<const File*> target(int fd, uint32_t skip) const;

  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &queue_; }
  FileKind kind() const override { return FileKind::epoll; }
  void describe(TextSink& out) const override { format(out, "anon_inode:[eventpoll]"); }
  void fdinfo(TextSink& out) const override;

 private:
  friend class EpollItem;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Epoll() : File(open_flag::rdwr) {}

  using Ready = boost::intrusive::list<
      EpollItem,
      boost::intrusive::member_hook<EpollItem, boost::intrusive::list_member_hook<>, &EpollItem::ready_hook_>,
      boost::intrusive::constant_time_size<false>>;
  using Items = boost::intrusive::set<EpollItem, boost::intrusive::constant_time_size<false>>;

  EpollItem* find_locked(int fd, const File& file) REQUIRES(lock_);
  void drop_locked(EpollItem& item) REQUIRES(lock_);
  // True: it woke somebody in epoll_wait(2).
  bool mark_ready(EpollItem& item);
  // Polls and, while an item is ready, calls take(item, bits); stops when it returns false.
  template <class Take>
  void scan_locked(Take&& take) REQUIRES(lock_);
  static bool nesting_ok(Epoll& from, const Epoll& target, unsigned depth);

  mutable Mutex lock_{LockRank::epoll};
  WaitQueue queue_, sleepers_;
  Items items_ GUARDED_BY(lock_);
  // Taken under the wait queue of a watched file, and around that of the sleepers.
  SpinLock ready_lock_{LockRank::wait_queue};
  Ready ready_ GUARDED_BY(ready_lock_);
  bool scanning_ GUARDED_BY(ready_lock_) = false;  // ready items are out of ready_ for the moment
};

}  // namespace runsc::fs
