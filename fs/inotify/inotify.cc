#include "fs/inotify/inotify.h"

#include "mm/user_copy.h"

namespace runsc::fs {

namespace {

using namespace notify_bit;

constexpr uint32_t kFionread = 0x541b;
constexpr size_t kHead = 16;  // struct inotify_event without its name
constexpr size_t kMaxName = 255;
// Watches for these alone are kept; the rest of a mask says how to add it.
constexpr uint32_t kKept = all_events | oneshot | excl_unlink;
constexpr uint32_t kShown = all_events | unmount | overflow | ignored | is_dir;

// Names are padded to a multiple of the head, with at least one zero.
size_t padded(size_t name) { return name == 0 ? 0 : (name + 1 + kHead - 1) / kHead * kHead; }

}  // namespace

InotifyLimits& inotify_limits() {
  static constinit InotifyLimits limits;
  return limits;
}

// The instances of everybody, for the limits of a user.
struct InotifyInstances {
  static Inotify* first GUARDED_BY(g_inotify_lock);

  struct Count {
    uint32_t instances = 0;
    size_t watches = 0;
  };
  static Count of_user(uint32_t uid) REQUIRES(g_inotify_lock) {
    Count c;
    for (Inotify* i = first; i; i = i->next_)
      if (i->uid_ == uid) ++c.instances, c.watches += i->watches_.size();
    return c;
  }
  static void add(Inotify& i) REQUIRES(g_inotify_lock) {
    i.next_ = first;
    if (first) first->prev_ = &i;
    first = &i;
  }
  static void remove(Inotify& i) REQUIRES(g_inotify_lock) {
    (i.prev_ ? i.prev_->next_ : first) = i.next_;
    if (i.next_) i.next_->prev_ = i.prev_;
  }
};
constinit Inotify* InotifyInstances::first = nullptr;

size_t InotifyEvent::size() const { return kHead + padded(name.size()); }

InotifyGrave::~InotifyGrave() {
  while (watches) delete std::exchange(watches, watches->next);
  while (inodes) {
    inodes->inode->super().watched(*inodes->inode);
    delete std::exchange(inodes, inodes->next);
  }
}

Inotify::Inotify(uint32_t flags, uint32_t uid, bool silent)
    : File(open_flag::rdonly | (flags & open_flag::nonblock)), uid_(uid), silent_(silent) {
  overflow_.mask = overflow;
}

Result<Ref<Inotify>> Inotify::create(uint32_t flags, uint32_t uid) {
  Ref<Inotify> fresh = make_ref<Inotify>(flags, uid, false);
  if (!fresh) return Errno::nomem;
  LockGuard guard(g_inotify_lock);
  uint32_t limit = inotify_limits().user_instances.load(std::memory_order_relaxed);
  bool room = InotifyInstances::of_user(uid).instances < limit;
  InotifyInstances::add(*fresh);
  if (!room) return Errno::mfile;
  return fresh;
}

Result<Ref<Inotify>> Inotify::create_silent() {
  Ref<Inotify> fresh = make_ref<Inotify>(0, kNobody, true);
  if (!fresh) return Errno::nomem;
  LockGuard guard(g_inotify_lock);
  InotifyInstances::add(*fresh);
  return fresh;
}

bool Inotify::watching() const {
  LockGuard guard(g_inotify_lock);
  return !watches_.empty();
}

Inotify::~Inotify() {
  InotifyGrave grave;
  InotifyEvent* events;
  {
    LockGuard guard(g_inotify_lock);
    InotifyInstances::remove(*this);
    while (!watches_.empty()) {
      InotifyWatch& watch = *watches_.begin();
      watches_.erase(watches_.begin());
      detach_watch(watch, grave);
    }
    events = std::exchange(first_, nullptr);
  }
  while (InotifyEvent* e = events) {
    events = e->next;
    if (e != &overflow_) delete e;
  }
}

// ---- watches

Result<int> Inotify::change_locked(InotifyWatch& watch, uint32_t mask) {
  if (mask & mask_create) return Errno::exist;
  watch.mask = (mask & mask_add ? watch.mask : unmount) | (mask & kKept);
  return watch.wd;
}

Result<int> Inotify::add(Inode& inode, uint32_t mask) {
  const int wd = TRY(add_alone(inode, mask));
  inode.super().watched(inode);
  return wd;
}

Result<int> Inotify::add_alone(Inode& inode, uint32_t mask) {
  Unique<WatchedInode> fresh = make<WatchedInode>(inode);
  Unique<InotifyWatch> watch;
  if (!fresh) return Errno::nomem;
  LockGuard guard(g_inotify_lock);
  if (WatchedInode* w = watched_inode(inode))
    for (InotifyWatch* i = w->watches; i; i = i->next)
      if (&i->group == this) return change_locked(*i, mask);
  uint32_t limit = inotify_limits().user_watches.load(std::memory_order_relaxed);
  if (!silent_ && InotifyInstances::of_user(uid_).watches >= limit) return Errno::nospc;
  watch = make<InotifyWatch>(*this, next_wd_, (mask & kKept) | unmount);
  if (!watch) return Errno::nomem;
  ++next_wd_;
  InotifyWatch& added = *watch.release();
  watches_.insert(watches_.end(), added);
  attach_watch(added, inode, fresh);
  return added.wd;
}

void Inotify::end_watch_locked(InotifyWatch& watch, InotifyGrave& grave) {
  queue_locked(watch.wd, ignored, 0, {});
  watches_.erase(watches_.iterator_to(watch));
  detach_watch(watch, grave);
}

Result<void> Inotify::remove(int wd) {
  InotifyGrave grave;
  LockGuard guard(g_inotify_lock);
  for (InotifyWatch& watch : watches_) {
    if (watch.wd != wd) continue;
    end_watch_locked(watch, grave);
    return {};
  }
  return Errno::inval;
}

// ---- events

void Inotify::push_locked(InotifyEvent& event) {
  event.next = nullptr;
  (last_ ? last_->next : first_) = &event;
  last_ = &event;
  ++events_;
  bytes_ += event.size();
  queue_.wake_all(poll_bit::in | poll_bit::rdnorm);
}

InotifyEvent* Inotify::pop_locked() {
  InotifyEvent* e = first_;
  first_ = e->next;
  if (!first_) last_ = nullptr;
  --events_;
  bytes_ -= e->size();
  if (e == &overflow_) overflow_queued_ = false;
  return e;
}

void Inotify::queue_locked(int wd, uint32_t mask, uint32_t cookie, std::string_view name) {
  if (silent_) {
    if (!(mask & ignored)) queue_.wake_all(poll_bit::in | poll_bit::rdnorm | poll_bit::msg);
    return;
  }
  // An event that equals the one before it says nothing new.
  if (last_ && !(mask & ignored) && last_->mask == mask && last_->wd == wd && last_->name.view() == name)
    return;
  Unique<InotifyEvent> event;
  if (events_ < inotify_limits().queued_events.load(std::memory_order_relaxed)) event = make<InotifyEvent>();
  Result<String> own = event ? String::from(name) : Result<String>(Errno::nomem);
  if (!own) return overflow_locked();  // no room, or no memory
  event->wd = wd;
  event->mask = mask;
  event->cookie = cookie;
  event->name = std::move(*own);
  push_locked(*event.release());
}

void Inotify::overflow_locked() {
  if (silent_ || overflow_queued_) return;
  overflow_queued_ = true;
  push_locked(overflow_);
}

Result<size_t> Inotify::read(mm::IoBuf& buf, uint64_t) {
  size_t done = 0;
  for (;;) {
    std::byte bytes[kHead + kMaxName + 1] = {};
    size_t size;
    Unique<InotifyEvent> event;
    {
      LockGuard guard(g_inotify_lock);
      if (!first_) break;
      size = first_->size();
      if (size > buf.remaining()) {
        if (done == 0) return Errno::inval;
        break;
      }
      InotifyEvent* e = pop_locked();
      if (e != &overflow_) event.reset(e);
      const uint32_t head[4] = {static_cast<uint32_t>(e->wd), e->mask & kShown, e->cookie,
                                static_cast<uint32_t>(size - kHead)};
      __builtin_memcpy(bytes, head, kHead);
      __builtin_memcpy(bytes + kHead, e->name.view().data(), e->name.size());
    }
    size_t moved = TRY(buf.put(bytes, size));
    done += moved;
    if (moved < size) return Errno::fault;
  }
  if (done == 0) return Errno::again;
  return done;
}

uint32_t Inotify::poll() {
  LockGuard guard(g_inotify_lock);
  return first_ ? poll_bit::in | poll_bit::rdnorm : 0;
}

Result<uint64_t> Inotify::ioctl(uint32_t request, uint64_t argument, const IoctlContext& context) {
  if (request != kFionread) return Errno::notty;
  int32_t n;
  {
    LockGuard guard(g_inotify_lock);
    n = static_cast<int32_t>(bytes_);
  }
  TRY(mm::copy_out(context.space, mm::UserPtr<int32_t>(argument), n));
  return uint64_t{0};
}

void Inotify::fdinfo(TextSink& out) const {
  // Attributes may come from the host: one watch at a time, by number.
  for (int wd = 0x7fffffff;;) {
    Ref<Inode> inode;
    uint32_t mask = 0;
    {
      LockGuard guard(g_inotify_lock);
      auto next = watches_.rbegin();  // the newest first
      while (next != watches_.rend() && next->wd >= wd) ++next;
      if (next == watches_.rend()) return;
      wd = next->wd, mask = next->mask & (all_events | excl_unlink | oneshot);
      inode = next->at->inode;
    }
    Result<Attr> attr = inode->get_attr();
    if (!attr) continue;
    format(out, "inotify wd:{:x} ino:{:x} sdev:{:x} mask:{:x} ignored_mask:0 \n", wd, attr->ino, attr->dev,
           mask);
  }
}

}  // namespace runsc::fs
