// FIFOs of the host in bind mounts (fifo(7)). Whoever opens one for one direction waits for the other end;
// the host, which must not wait, does not tell when that comes, and is asked again from time to time.
#include "fs/hostfs/hostfs.h"
#include "kernel/stdio/donated_stream.h"
#include "kernel/stdio/host_stream.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"

namespace runsc::kernel {

namespace {

using namespace fs;

constexpr uint64_t kAskAgain = 20'000'000;

class HostFifo final : public File, private Timer {
 public:
  // `stream` null: for writing only, once somebody reads.
  HostFifo(uint32_t flags, Ref<HostInode> inode, Ref<DonatedStream> stream)
      : File(flags, inode),
        node_(std::move(inode)),
        stream_(std::move(stream)),
        opening_(stream_ ? stream_->queue() : own_queue_) {}
  ~HostFifo() override { cancel(); }

  Result<size_t> read(mm::IoBuf& buf, uint64_t) override;
  Result<size_t> write(mm::IoBuf& buf, uint64_t) override { return stream_->write(buf); }
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return stream_ ? &stream_->queue() : &own_queue_; }
  Result<void> complete_open() override;

 private:
  void fire() override { opening_.wake_all(); }
  Result<void> find_writer();
  Result<void> find_reader();
  Errno ask_again() {
    arm(monotonic_ns() + kAskAgain);
    return Errno::again;
  }

  const Ref<HostInode> node_;
  Ref<DonatedStream> stream_;
  WaitQueue own_queue_;
  WaitQueue& opening_;  // where complete_open() is waited for
  // A byte that came in answer to the question whether anybody writes; below 0: none.
  std::atomic<int> early_{-1};
};

Result<Ref<DonatedStream>> connect(HostInode& inode, uint32_t flags) {
  hostcall::Handle handle = TRY(inode.open_fifo(flags));
  return DonatedStream::adopt(handle, 0);
}

Result<size_t> HostFifo::read(mm::IoBuf& buf, uint64_t) {
  if (buf.remaining() == 0) return size_t{0};
  const int early = early_.exchange(-1);
  if (early < 0) return stream_->read(buf);
  const auto byte = static_cast<std::byte>(early);
  Result<size_t> moved = buf.put(&byte, 1);
  if (!moved) early_.store(early);
  return moved;
}

uint32_t HostFifo::poll() {
  uint32_t events = 0;
  if (readable()) events |= poll_bit::in;
  if (writable()) events |= poll_bit::out;
  events = stream_->poll(events);
  if (early_.load() >= 0) events |= poll_bit::in | poll_bit::rdnorm;
  return events;
}

Result<void> HostFifo::find_writer() {
  std::byte byte;
  mm::IoBuf room = mm::IoBuf::kernel({&byte, 1});
  Result<size_t> got = stream_->read(room);
  if (!got && got.error() == Errno::again) return {};  // it has nothing to say yet
  if (TRY(std::move(got)) > 0) {
    early_.store(static_cast<int>(byte));
    return {};
  }
  // Nobody; one that came and went meanwhile counts.
  if (stream_->poll(poll_bit::in) & poll_bit::hup) return {};
  return ask_again();
}

Result<void> HostFifo::find_reader() {
  Result<Ref<DonatedStream>> stream = connect(*node_, flags());
  if (!stream && stream.error() == Errno::nxio) return ask_again();
  stream_ = TRY(std::move(stream));
  return {};
}

Result<void> HostFifo::complete_open() {
  if ((flags() & open_flag::accmode) == open_flag::rdonly)
    return nonblocking() ? Result<void>() : find_writer();
  return stream_ ? Result<void>() : find_reader();
}

Result<Ref<File>> open_host_fifo(Ref<HostInode> inode, uint32_t flags) {
  Result<Ref<DonatedStream>> stream = connect(*inode, flags);
  if (!stream && (stream.error() != Errno::nxio || (flags & open_flag::nonblock))) return stream.error();
  Ref<File> file =
      make_ref<HostFifo>(flags, std::move(inode), stream ? std::move(*stream) : Ref<DonatedStream>());
  if (!file) return Errno::nomem;
  return file;
}

}  // namespace

void host_fifo_init() { set_host_fifo_opener(open_host_fifo); }

}  // namespace runsc::kernel
