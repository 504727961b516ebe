#include "kernel/stdio/donated_stream.h"

#include <algorithm>
#include <utility>

#include "fs/hostfs/hostfs.h"
#include "kvm/hostcall/client.h"
#include "mm/phys.h"

namespace runsc::kernel {

namespace {

using namespace fs;

constinit SpinLock g_lock{LockRank::fs_context};
constinit DonatedStream* g_streams GUARDED_BY(g_lock) = nullptr;  // all of them

Result<hostcall::HostStat> stat_of(hostcall::Handle handle) {
  auto reply = hostcall::call<hostcall::Stat>([&](auto& r) { r = {handle, 0}; });
  if (!reply) return reply.error();
  return **reply;
}

}  // namespace

DonatedStream::DonatedStream(Ref<HostHandle> handle, mm::Page& page, const hostcall::HostStat& stat,
                             uint32_t owner)
    : handle_(std::move(handle)),
      page_(page),
      flags_(stat.open_flags & (open_flag::accmode | open_flag::append)),
      type_(stat.mode & kTypeMask),
      ino_(stat.ino),
      is_null_(type_ == kCharDev && stat.rdev == make_dev(1, 3)),
      mode_(stat.mode),
      uid_(owner),
      gid_(stat.gid) {
  LockGuard guard(g_lock);
  next_ = std::exchange(g_streams, this);
}

DonatedStream::~DonatedStream() {
  {
    LockGuard guard(g_lock);
    DonatedStream** at = &g_streams;
    while (*at != this) at = &(*at)->next_;
    *at = next_;
  }
  mm::put_page(page_);
}

Result<Ref<DonatedStream>> DonatedStream::adopt(hostcall::Handle handle, uint32_t owner) {
  hostcall::HostStat stat = TRY(stat_of(handle));
  bool writes = (stat.open_flags & open_flag::accmode) != open_flag::rdonly;
  Ref<HostHandle> owned = make_ref<HostHandle>(handle, writes);
  if (!owned) return Errno::nomem;
  mm::Page* page = TRY(mm::alloc_page(mm::Zero::yes, mm::Use::sentry));
  Ref<DonatedStream> stream = make_ref<DonatedStream>(std::move(owned), *page, stat, owner);
  if (!stream) {
    mm::put_page(*page);
    return Errno::nomem;
  }
  return stream;
}

void DonatedStream::ready(hostcall::Handle handle, uint32_t events) {
  LockGuard guard(g_lock);
  for (DonatedStream* s = g_streams; s; s = s->next_)
    if (s->handle_->number() == handle) s->queue_.wake_all(events | poll_bit::err | poll_bit::hup);
}

template <class Call>
Result<size_t> DonatedStream::transfer(size_t size) {
  auto reply = hostcall::call<Call>([&](typename Call::Request& r) {
    r.handle = handle_->number();
    r.offset = 0;
    r.ranges.count = 1;
    r.ranges.at[0] = {mm::page_phys(page_), size};
  });
  if (reply) return static_cast<size_t>((*reply)->size);
  // Ask to be told when it may go on.
  if (reply.error() == Errno::again) (void)poll(poll_bit::in | poll_bit::out);
  return reply.error();
}

Result<size_t> DonatedStream::read(mm::IoBuf& buf) {
  LockGuard guard(io_lock_);
  size_t want = std::min<uint64_t>(buf.remaining(), mm::kPageSize);
  if (want == 0) return size_t{0};
  size_t got = TRY(transfer<hostcall::StreamRead>(want));
  return buf.put(mm::page_data(page_), std::min(got, want));
}

Result<size_t> DonatedStream::write(mm::IoBuf& buf) {
  LockGuard guard(io_lock_);
  size_t done = 0;
  while (buf.remaining() > 0) {
    auto n = write_page(buf);
    if (!n) {
      if (done == 0) return n.error();
      break;
    }
    done += *n;
  }
  return done;
}

Result<size_t> DonatedStream::write_page(mm::IoBuf& buf) {
  size_t size = std::min<uint64_t>(buf.remaining(), mm::kPageSize);
  size_t taken = TRY(buf.get(mm::page_data(page_), size));
  auto moved = transfer<hostcall::StreamWrite>(taken);
  if (!moved) {
    buf.rewind(taken);
    return moved.error();
  }
  size_t n = std::min(*moved, taken);
  if (n < taken) buf.rewind(taken - n);
  return n;
}

uint32_t DonatedStream::poll(uint32_t events) {
  auto reply = hostcall::call<hostcall::StreamPoll>([&](auto& r) {
    r.handle = handle_->number();
    r.events = events;
  });
  if (!reply) return poll_bit::err;
  uint32_t ready = (*reply)->events;
  if (ready & poll_bit::in) ready |= poll_bit::rdnorm;
  if (ready & poll_bit::out) ready |= poll_bit::wrnorm;
  return ready;
}

Result<Attr> DonatedStream::get_attr() {
  hostcall::HostStat stat = TRY(stat_of(handle_->number()));
  Attr a = attr_of(stat);
  a.dev = stat.dev;
  LockGuard guard(owner_lock_);
  a.mode = mode_, a.uid = uid_, a.gid = gid_;
  return a;
}

Result<void> DonatedStream::set_attr(const SetAttr& attr) {
  if (attr.mask & SetAttr::kSize) {
    if (type_ != kRegular) return Errno::inval;
    auto reply = hostcall::call<hostcall::Truncate>([&](auto& r) {
      r.handle = handle_->number();
      r.size = attr.size;
    });
    if (!reply) return reply.error();
  }
  LockGuard guard(owner_lock_);
  if (attr.mask & SetAttr::kMode) mode_ = (mode_ & kTypeMask) | (attr.mode & 07777);
  if (attr.mask & SetAttr::kUid) uid_ = attr.uid;
  if (attr.mask & SetAttr::kGid) gid_ = attr.gid;
  return {};
}

}  // namespace runsc::kernel
