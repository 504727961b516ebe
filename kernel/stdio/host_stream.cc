#include "kernel/stdio/host_stream.h"

#include "fs/dir_helpers.h"
#include "kernel/stdio/donated_stream.h"

namespace runsc::kernel {

namespace {

using namespace fs;

Result<Ref<File>> open_again(Ref<DonatedStream> stream, uint32_t flags);

class StreamFile : public File {
 public:
  StreamFile(uint32_t flags, Ref<DonatedStream> stream) : File(flags), stream_(std::move(stream)) {}
  Result<Attr> get_attr() override { return stream_->get_attr(); }
  Result<void> set_attr(const SetAttr& attr) override { return stream_->set_attr(attr); }
  Result<uint64_t> ioctl(uint32_t, uint64_t, const IoctlContext&) override { return Errno::notty; }
  Result<Ref<File>> reopen(uint32_t flags) override { return open_again(stream_, flags); }
  // The host's names are not told.
  void describe(TextSink& out) const override {
    std::string_view kind = stream_->type() == kFifo     ? "pipe"
                            : stream_->type() == kSocket ? "socket"
                                                         : "host";
    if (stream_->is_null()) return out.write("/dev/null");
    format(out, "{}:[{}]", kind, stream_->ino());
  }

 protected:
  const Ref<DonatedStream> stream_;
};

// Bytes at the host's own position: everything the host donated, and pipes and devices opened again.
class HostStream final : public StreamFile {
 public:
  using StreamFile::StreamFile;
  Result<size_t> read(mm::IoBuf& buf, uint64_t) override { return stream_->read(buf); }
  Result<size_t> write(mm::IoBuf& buf, uint64_t) override { return stream_->write(buf); }
  uint32_t poll() override {
    uint32_t events = poll_bit::rdhup;
    if (readable()) events |= poll_bit::in;
    if (writable()) events |= poll_bit::out;
    return stream_->poll(events);
  }
  WaitQueue* wait_queue() override { return &stream_->queue(); }
};

// null(4) needs no host.
class NullStream final : public StreamFile {
 public:
  using StreamFile::StreamFile;
  Result<size_t> read(mm::IoBuf&, uint64_t) override { return size_t{0}; }
  Result<size_t> write(mm::IoBuf& buf, uint64_t) override {
    size_t n = buf.remaining();
    buf.advance(n);
    return n;
  }
  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t, int, uint64_t) override { return uint64_t{0}; }
};

// A regular file opened again: a description with a position of its own.
class HostStreamFile final : public StreamFile {
 public:
  using StreamFile::StreamFile;
  bool seekable() const override { return true; }
  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override {
    return stream_->handle().read(buf, offset, buf.remaining());
  }
  Result<size_t> write(mm::IoBuf& buf, uint64_t offset) override {
    if (!(flags() & open_flag::append)) return stream_->handle().write(buf, offset);
    LockGuard guard(stream_->append_lock);
    return stream_->handle().write(buf, TRY(get_attr()).size);
  }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    return seek_in_file(offset, whence, current, whence == 2 ? TRY(get_attr()).size : 0);
  }
  Result<void> sync(bool data_only) override {
    auto reply = hostcall::call<hostcall::Sync>([&](hostcall::HandleRequest& r) {
      r = {stream_->handle().number(), data_only ? 1u : 0u};
    });
    if (!reply) return reply.error();
    return {};
  }
};

template <class T>
Result<Ref<File>> make_file(uint32_t flags, Ref<DonatedStream> stream) {
  Ref<File> file = make_ref<T>(flags, std::move(stream));
  if (!file) return Errno::nomem;
  return file;
}

bool covers(uint32_t donated, uint32_t wanted) {
  donated &= open_flag::accmode, wanted &= open_flag::accmode;
  return donated == open_flag::rdwr || donated == wanted;
}

// open(2) of /proc/PID/fd/N. EACCES for a direction that the host did not donate: the sandbox gets no more of
// a stream than it was given. ENXIO for sockets, as on Linux.
Result<Ref<File>> open_again(Ref<DonatedStream> stream, uint32_t flags) {
  if (stream->type() == kSocket) return Errno::nxio;
  if (stream->is_null()) return make_file<NullStream>(flags, std::move(stream));
  if (!covers(stream->flags(), flags)) return Errno::acces;
  if (stream->type() == kRegular) return make_file<HostStreamFile>(flags, std::move(stream));
  return make_file<HostStream>(flags, std::move(stream));
}

}  // namespace

Result<Ref<File>> open_host_stream(hostcall::Handle handle, uint32_t owner, uint32_t flags) {
  Ref<DonatedStream> stream = TRY(DonatedStream::adopt(handle, owner));
  flags |= stream->flags();
  if (stream->is_null()) return make_file<NullStream>(flags, std::move(stream));
  return make_file<HostStream>(flags, std::move(stream));
}

void host_stream_ready(hostcall::Handle handle, uint32_t events) { DonatedStream::ready(handle, events); }

}  // namespace runsc::kernel
