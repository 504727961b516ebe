#include "fs/epoll/epoll.h"

#include "fs/inode.h"

namespace runsc::fs {

namespace {

constexpr uint32_t kAlways = poll_bit::err | poll_bit::hup;
constexpr uint32_t kPrivateBits =
    epoll_bit::exclusive | epoll_bit::wakeup | epoll_bit::oneshot | epoll_bit::edge;
constexpr unsigned kMaxNesting = 5;
constexpr size_t kScanBatch = 16;

Mutex g_watch_lock{LockRank::epoll_watch};

}  // namespace

Mutex& file_watch_lock() { return g_watch_lock; }

// ---- items
// -----------------------------------------------------------------------------------------------------

// With EPOLLEXCLUSIVE a waiter counts only if somebody woke who asked for this; a change in both directions
// (a hang-up) is told to all.
bool EpollItem::notify(uint32_t events) {
  if (spent_.load(std::memory_order_relaxed)) return true;
  bool woke = epoll_.mark_ready(*this);
  constexpr uint32_t kBoth = poll_bit::in | poll_bit::out;
  if (!woke || events == ~0u || (events & kBoth) == 0) return woke;
  return (events & kBoth) != kBoth && (events & kBoth & first_events_);
}

void EpollItem::file_gone() NO_THREAD_SAFETY_ANALYSIS {
  Epoll& epoll = epoll_;
  LockGuard guard(epoll.lock_);
  epoll.drop_locked(*this);
}

void File::forget_watches() {
  LockGuard guard(g_watch_lock);
  while (watches_) watches_->file_gone();
}

void FileWatch::attach(File& file) {
  next_ = file.watches_;
  if (next_) next_->previous_ = &next_;
  previous_ = &file.watches_;
  file.watches_ = this;
}

void FileWatch::detach() {
  *previous_ = next_;
  if (next_) next_->previous_ = previous_;
}

// ---- ready list
// ------------------------------------------------------------------------------------------------

bool Epoll::mark_ready(EpollItem& item) {
  bool woke;
  {
    LockGuard guard(ready_lock_);
    if (!item.ready_hook_.is_linked()) ready_.push_back(item);
    woke = sleepers_.wake() > 0;
  }
  queue_.wake(poll_bit::in | poll_bit::rdnorm);
  return woke;
}

bool Epoll::add_sleeper(EpollSleeper& sleeper) {
  LockGuard guard(ready_lock_);
  if (scanning_ || !ready_.empty()) return false;
  sleeper.woken_ = false;
  sleepers_.add(sleeper, ~0u, true);
  return true;
}

template <class Take>
void Epoll::scan_locked(Take&& take) {
  Ready batch;
  {
    LockGuard guard(ready_lock_);
    batch.swap(ready_);
    scanning_ = true;
  }
  Ready again;
  while (!batch.empty()) {
    EpollItem* item;
    {
      // Unlinked under the lock: notify() asks is_linked().
      LockGuard guard(ready_lock_);
      item = &batch.front();
      batch.pop_front();
    }
    if (item->event_.events == 0) continue;  // a spent EPOLLONESHOT
    uint32_t bits = item->file_.poll() & item->event_.events & ~kPrivateBits;
    if (!bits) continue;
    bool more = take(*item, bits);
    bool keep = !more || (item->event_.events != 0 && !(item->event_.events & epoll_bit::edge));
    if (keep) {
      LockGuard guard(ready_lock_);
      if (!item->ready_hook_.is_linked()) (more ? again.push_back(*item) : batch.push_front(*item));
    }
    if (!more) break;
  }
  LockGuard guard(ready_lock_);
  ready_.splice(ready_.begin(), batch);
  ready_.splice(ready_.end(), again);
  scanning_ = false;
  if (!ready_.empty()) sleepers_.wake();  // the next may have what is left
}

Result<size_t> Epoll::collect(size_t max, EventSink& out) {
  LockGuard guard(lock_);
  size_t n = 0;
  bool fault = false;
  scan_locked([&](EpollItem& item, uint32_t bits) {
    if (n == max) return false;
    if (!out.put({bits, item.event_.data})) {
      fault = true;
      return false;
    }
    ++n;
    if (item.event_.events & epoll_bit::oneshot) {
      item.event_.events = 0;
      item.spent_.store(true, std::memory_order_relaxed);
    }
    return true;
  });
  if (n == 0 && fault) return Errno::fault;
  return n;
}

uint32_t Epoll::poll() {
  LockGuard guard(lock_);
  bool any = false;
  scan_locked([&](EpollItem&, uint32_t) {
    any = true;
    return false;
  });
  return any ? poll_bit::in | poll_bit::rdnorm : 0;
}

// ---- epoll_ctl
// -------------------------------------------------------------------------------------------------

Result<Ref<Epoll>> Epoll::create() {
  Ref<Epoll> e = make_ref<Epoll>();
  if (!e) return Errno::nomem;
  return e;
}

Epoll::~Epoll() {
  LockGuard watch(g_watch_lock);
  LockGuard guard(lock_);
  while (!items_.empty()) drop_locked(*items_.begin());
}

EpollItem* Epoll::find_locked(int fd, const File& file) {
  struct Key {
    const File* file;
    int fd;
  } key{&file, fd};
  struct Less {
    bool operator()(const EpollItem& a, const Key& k) const {
      return &a.file_ != k.file ? &a.file_ < k.file : a.fd_ < k.fd;
    }
    bool operator()(const Key& k, const EpollItem& a) const {
      return &a.file_ != k.file ? k.file < &a.file_ : k.fd < a.fd_;
    }
  };
  auto it = items_.find(key, Less{});
  return it == items_.end() ? nullptr : &*it;
}

void Epoll::drop_locked(EpollItem& item) {
  if (WaitQueue* q = item.file_.watch_queue()) q->remove(item);
  {
    LockGuard guard(ready_lock_);
    if (item.ready_hook_.is_linked()) ready_.erase(ready_.iterator_to(item));
  }
  items_.erase(items_.iterator_to(item));
  item.detach();
  delete &item;
}

// False if `target` can be reached from `from` or the chain is too long. Under g_watch_lock.
bool Epoll::nesting_ok(Epoll& from, const Epoll& target, unsigned depth) {
  if (&from == &target || depth > kMaxNesting) return false;
  LockGuard guard(from.lock_);
  for (auto& item : from.items_)
    if (item.file_.kind() == FileKind::epoll &&
        !nesting_ok(static_cast<Epoll&>(item.file_), target, depth + 1))
      return false;
  return true;
}

Result<void> Epoll::add(int fd, File& file, EpollEvent event) {
  event.events |= kAlways;  // nobody can decline them; none at all means a spent EPOLLONESHOT
  if (file.inode() && (file.inode()->type() == kRegular || file.inode()->type() == kDirectory))
    return Errno::perm;
  LockGuard watch(g_watch_lock);
  if (file.kind() == FileKind::epoll && !nesting_ok(static_cast<Epoll&>(file), *this, 1)) return Errno::loop;
  LockGuard guard(lock_);
  if (find_locked(fd, file)) return Errno::exist;
  Unique<EpollItem> item = make<EpollItem>(*this, file, fd, event);
  if (!item) return Errno::nomem;
  EpollItem& i = *item.release();
  items_.insert(i);
  i.attach(file);
  if (WaitQueue* q = file.watch_queue())
    q->add(i, event.events & ~kPrivateBits, event.events & epoll_bit::exclusive);
  mark_ready(i);  // what is ready already is found by the next scan
  return {};
}

Result<void> Epoll::modify(int fd, File& file, EpollEvent event) {
  event.events |= kAlways;
  LockGuard guard(lock_);
  EpollItem* item = find_locked(fd, file);
  if (!item) return Errno::noent;
  if ((item->event_.events | event.events) & epoll_bit::exclusive) return Errno::inval;
  item->event_ = event;
  item->spent_.store(false, std::memory_order_relaxed);  // seen by notify() through the queue's lock
  if (WaitQueue* q = file.watch_queue()) {
    q->remove(*item);
    q->add(*item, event.events & ~kPrivateBits);
  }
  mark_ready(*item);
  return {};
}

Result<void> Epoll::remove(int fd, File& file) {
  LockGuard watch(g_watch_lock);
  LockGuard guard(lock_);
  EpollItem* item = find_locked(fd, file);
  if (!item) return Errno::noent;
  drop_locked(*item);
  return {};
}

Result<const File*> Epoll::target(int fd, uint32_t skip) const {
  LockGuard guard(lock_);
  for (const auto& item : items_)
    if (item.fd_ == fd && skip-- == 0) return &item.file_;
  return Errno::noent;
}

void Epoll::fdinfo(TextSink& out) const {
  LockGuard guard(lock_);
  for (const auto& item : items_)
    format(out, "tfd: {:8} events: {:8x} data: {:16x}\n", item.fd_, item.event_.events,
           uint64_t{item.event_.data});
}

}  // namespace runsc::fs
