#include "kernel/stdio/host_stream.h"

#include <algorithm>

#include "kernel/base/log.h"
#include "kvm/hostcall/client.h"
#include "mm/phys.h"

namespace runsc::kernel {

namespace {

using namespace fs;

class HostStream;
constexpr size_t kMaxStreams = 64;
constinit SpinLock g_lock{LockRank::fs_context};
constinit HostStream* g_streams[kMaxStreams] GUARDED_BY(g_lock) = {};

// One page goes back and forth with each call.
class HostStream final : public File {
 public:
  HostStream(hostcall::Handle handle, uint32_t flags, mm::Page& page)
      : File(flags), handle_(handle), page_(page) {
    LockGuard guard(g_lock);
    for (HostStream*& slot : g_streams)
      if (!slot) {
        slot = this;
        break;
      }
  }
  ~HostStream() override {
    {
      LockGuard guard(g_lock);
      for (HostStream*& slot : g_streams)
        if (slot == this) slot = nullptr;
    }
    mm::put_page(page_);
  }

  Result<size_t> read(mm::IoBuf& buf, uint64_t) override {
    LockGuard guard(io_lock_);
    size_t want = std::min<uint64_t>(buf.remaining(), mm::kPageSize);
    if (want == 0) return size_t{0};
    size_t got = TRY(transfer<hostcall::StreamRead>(want));
    return buf.put(mm::page_data(page_), std::min(got, want));
  }

  Result<size_t> write(mm::IoBuf& buf, uint64_t) override {
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

  uint32_t poll() override { return poll_host(poll_bit::in | poll_bit::out | poll_bit::rdhup); }
  WaitQueue* wait_queue() override { return &queue_; }
  Result<Attr> get_attr() override;
  Result<uint64_t> ioctl(uint32_t, uint64_t, const IoctlContext&) override { return Errno::notty; }
  void describe(TextSink& out) const override { format(out, "host:[{}]", handle_); }

  hostcall::Handle handle() const { return handle_; }
  void ready(uint32_t events) { queue_.wake_all(events | poll_bit::err | poll_bit::hup); }

 private:
  template <class Call>
  Result<size_t> transfer(size_t size) {
    auto reply = hostcall::call<Call>([&](typename Call::Request& r) {
      r.handle = handle_;
      r.offset = 0;
      r.ranges.count = 1;
      r.ranges.at[0] = {mm::page_phys(page_), size};
    });
    if (reply) return static_cast<size_t>((*reply)->size);
    // Ask to be told when it may go on.
    if (reply.error() == Errno::again) (void)poll_host(poll_bit::in | poll_bit::out);
    return reply.error();
  }

  Result<size_t> write_page(mm::IoBuf& buf) {
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

  uint32_t poll_host(uint32_t events) {
    auto reply = hostcall::call<hostcall::StreamPoll>([&](auto& r) {
      r.handle = handle_;
      r.events = events;
    });
    if (!reply) return poll_bit::err;
    uint32_t ready = (*reply)->events;
    if (ready & poll_bit::in) ready |= poll_bit::rdnorm;
    if (ready & poll_bit::out) ready |= poll_bit::wrnorm;
    return ready;
  }

  const hostcall::Handle handle_;
  mm::Page& page_;
  Mutex io_lock_{LockRank::hostfs};
  WaitQueue queue_;
};

Result<Attr> HostStream::get_attr() {
  auto reply = hostcall::call<hostcall::Stat>([&](auto& r) {
    r.handle = handle_;
    r.argument = 0;
  });
  if (!reply) return reply.error();
  const hostcall::HostStat& s = **reply;
  Attr a;
  a.dev = s.dev, a.ino = s.ino, a.mode = s.mode, a.nlink = s.nlink, a.uid = s.uid, a.gid = s.gid;
  a.rdev = s.rdev, a.size = s.size, a.blocks = s.blocks, a.block_size = s.block_size;
  a.atime = {s.atime_sec, s.atime_nsec}, a.mtime = {s.mtime_sec, s.mtime_nsec};
  a.ctime = {s.ctime_sec, s.ctime_nsec};
  return a;
}

}  // namespace

Result<Ref<File>> open_host_stream(hostcall::Handle handle, uint32_t flags) {
  mm::Page* page = TRY(mm::alloc_page(mm::Zero::yes, mm::Use::sentry));
  Ref<File> file = make_ref<HostStream>(handle, flags, *page);
  if (!file) {
    mm::put_page(*page);
    return Errno::nomem;
  }
  return file;
}

void host_stream_ready(hostcall::Handle handle, uint32_t events) {
  LockGuard guard(g_lock);
  for (HostStream* s : g_streams)
    if (s && s->handle() == handle) s->ready(events);
}

}  // namespace runsc::kernel
