#include "fs/inode.h"
#include "fs/pipe/pipe.h"
#include "mm/user_copy.h"

namespace runsc::fs {

namespace {

bool reads(uint32_t flags) { return (flags & open_flag::accmode) != open_flag::wronly; }
bool writes(uint32_t flags) { return (flags & open_flag::accmode) != open_flag::rdonly; }

constexpr uint32_t kFionread = 0x541b;

// Pipes have a device of their own (pipefs), as fstat(2) shows it.
constexpr uint64_t kPipeDevice = make_dev(0, 13);

}  // namespace

PipeFile::PipeFile(Ref<Pipe> pipe, uint32_t flags, Ref<Inode> inode)
    : File(flags, inode), pipe_(std::move(pipe)), fifo_(static_cast<bool>(inode)) {
  pipe_->add_end(reads(flags), writes(flags));
  had_writer_ = pipe_->has_writers();
  peer_generation_ = reads(flags) ? pipe_->writer_generation() : pipe_->reader_generation();
}

PipeFile::~PipeFile() { pipe_->drop_end(reads(flags()), writes(flags())); }

Result<size_t> PipeFile::read(mm::IoBuf& buf, uint64_t) { return pipe_->read(buf); }

Result<size_t> PipeFile::write(mm::IoBuf& buf, uint64_t) {
  return pipe_->write(buf, flags() & open_flag::direct);
}

uint32_t PipeFile::poll() {
  uint32_t bits = 0;
  if (reads(flags())) {
    bits |= pipe_->poll_reader();
    bool seen = had_writer_ || pipe_->writer_generation() != peer_generation_ || !fifo_;
    if (!pipe_->has_writers() && seen) bits |= poll_bit::hup;
  }
  if (writes(flags())) bits |= pipe_->poll_writer();
  return bits;
}

Result<uint64_t> PipeFile::ioctl(uint32_t request, uint64_t argument, const IoctlContext& context) {
  if (request != kFionread) return Errno::notty;
  int32_t n = static_cast<int32_t>(pipe_->bytes());
  TRY(mm::copy_out(context.space, mm::UserPtr<int32_t>(argument), n));
  return uint64_t{0};
}

Result<Attr> PipeFile::get_attr() {
  if (inode()) return inode()->get_attr();
  Attr a;
  a.dev = kPipeDevice;
  a.ino = pipe_->id();
  a.mode = kFifo | 0600;
  a.uid = owner_uid_;
  a.gid = owner_gid_;
  a.atime = a.mtime = a.ctime = now_realtime();
  return a;
}

Result<void> PipeFile::set_attr(const SetAttr& attr) {
  if (inode()) return inode()->set_attr(attr);
  if (attr.mask & SetAttr::kSize) return Errno::inval;
  if (attr.mask & SetAttr::kUid) owner_uid_ = attr.uid;
  if (attr.mask & SetAttr::kGid) owner_gid_ = attr.gid;
  return {};
}

Result<void> PipeFile::complete_open() {
  if (!fifo_ || (flags() & open_flag::accmode) == open_flag::rdwr) return {};
  // fifo(7): wait for the other end; one that came and went meanwhile counts.
  if (reads(flags())) {
    if (nonblocking() || pipe_->has_writers() || pipe_->writer_generation() != peer_generation_) return {};
  } else {
    if (pipe_->has_readers() || pipe_->reader_generation() != peer_generation_) return {};
    if (nonblocking()) return Errno::nxio;
  }
  return Errno::again;
}

Result<Ref<File>> PipeFile::reopen(uint32_t flags) { return open_fifo(pipe_, flags, Ref<Inode>()); }

void PipeFile::describe(TextSink& out) const { format(out, "pipe:[{}]", pipe_->id()); }

Result<PipeEnds> make_pipe(uint32_t flags) {
  Ref<Pipe> pipe = TRY(Pipe::create());
  PipeEnds ends;
  ends.reader = make_ref<PipeFile>(pipe, open_flag::rdonly | (flags & open_flag::nonblock), Ref<Inode>());
  ends.writer = make_ref<PipeFile>(
      pipe, open_flag::wronly | (flags & (open_flag::nonblock | open_flag::direct)), Ref<Inode>());
  if (!ends.reader || !ends.writer) return Errno::nomem;
  return ends;
}

Result<Ref<File>> open_fifo(Ref<Pipe> pipe, uint32_t flags, Ref<Inode> inode) {
  uint32_t mode = flags & open_flag::accmode;
  if (mode == open_flag::accmode) return Errno::inval;
  if (mode == open_flag::wronly && (flags & open_flag::nonblock) && !pipe->has_readers()) return Errno::nxio;
  Ref<File> file = make_ref<PipeFile>(std::move(pipe), flags, std::move(inode));
  if (!file) return Errno::nomem;
  return file;
}

Pipe* pipe_of(File& file) {
  if (file.kind() != FileKind::pipe) return nullptr;
  return &static_cast<PipeFile&>(file).pipe();
}

}  // namespace runsc::fs
