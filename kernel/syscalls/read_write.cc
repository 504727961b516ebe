// read(2), write(2) and their family.
#include "kernel/syscalls/blocking_io.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

namespace {

// Where a transfer happens: at the file's own position, or at an offset given by the call.
struct Place {
  bool own;
  uint64_t offset;
};
constexpr Place kOwnPosition{true, 0};
constexpr uint64_t kMaxOffset = 0x7fffffffffffffff;

Result<size_t> read_at(Task& task, fs::File& file, std::span<const mm::IoSegment> segments, Place place,
                       bool nonblocking) {
  mm::IoBuf buf(task.mm(), segments);
  if (!file.seekable()) return blocking_read(task, file, buf, 0, nonblocking);
  if (!place.own) {
    if (buf.remaining() > kMaxOffset - place.offset) return Errno::inval;
    return blocking_read(task, file, buf, place.offset, nonblocking);
  }
  LockGuard guard(file.position_lock);
  size_t n = TRY(blocking_read(task, file, buf, file.position, nonblocking));
  file.position += n;
  return n;
}

Result<size_t> write_positioned(Task& task, fs::File& file, IovecArgument& iov, uint64_t offset,
                                bool nonblocking) {
  if (iov.total() > kMaxOffset - offset) return Errno::inval;
  iov.limit(TRY(writable_size(task, file, offset, iov.total())));
  mm::IoBuf buf(task.mm(), iov.segments());
  size_t n = TRY(blocking_write(task, file, buf, offset, nonblocking));
  if (n > 0) fs::drop_set_id(task.creds(), file);
  if (n > 0 && (file.flags() & (fs::open_flag::sync | fs::open_flag::dsync)) && file.seekable())
    TRY(file.sync((file.flags() & fs::open_flag::sync) != fs::open_flag::sync));
  return n;
}

Result<size_t> write_at(Task& task, fs::File& file, IovecArgument& iov, Place place, bool nonblocking) {
  if (!file.seekable()) {
    // Nothing written to a pipe is a success, even without a reader.
    if (iov.total() == 0 && file.kind() == fs::FileKind::pipe) return size_t{0};
    mm::IoBuf buf(task.mm(), iov.segments());
    return blocking_write(task, file, buf, 0, nonblocking);
  }
  if (!place.own) return write_positioned(task, file, iov, place.offset, nonblocking);
  LockGuard guard(file.position_lock);
  size_t n = TRY(write_positioned(task, file, iov, file.position, nonblocking));
  file.position += n;
  if (n > 0 && (file.flags() & fs::open_flag::append))
    if (Result<uint64_t> end = file.seek(0, 2, 0)) file.position = *end;
  return n;
}

// /proc/PID/io counts every call that came as far as a file.
Result<size_t> count_read(Task& task, Result<size_t> n) {
  IoCounts::add(task.io.read_calls, 1);
  if (n) IoCounts::add(task.io.read_chars, *n);
  return n;
}

Result<size_t> count_write(Task& task, Result<size_t> n) {
  IoCounts::add(task.io.write_calls, 1);
  if (n) IoCounts::add(task.io.written_chars, *n);
  return n;
}

Result<Ref<fs::File>> readable_file(Task& task, int fd) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (!file->readable()) return Errno::badf;
  return file;
}

Result<Ref<fs::File>> writable_file(Task& task, int fd) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (!file->writable()) return Errno::badf;
  return file;
}

Result<Place> place_of(fs::File& file, int64_t offset) {
  if (offset < 0) return Errno::inval;
  if (!file.seekable()) return Errno::spipe;
  return Place{false, static_cast<uint64_t>(offset)};
}

Result<size_t> read_one(Task& task, fs::File& file, uint64_t buffer, uint64_t size, Place place) {
  mm::IoSegment segment{buffer, size > kMaxTransfer ? kMaxTransfer : size};
  return count_read(task, read_at(task, file, {&segment, 1}, place, false));
}

Result<size_t> write_one(Task& task, fs::File& file, uint64_t buffer, uint64_t size, Place place) {
  IovecArgument iov;
  iov.set(buffer, size);
  return count_write(task, write_at(task, file, iov, place, false));
}

// preadv2(2) flags.
constexpr uint32_t kHighPriority = 1, kDataSync = 2, kSync = 4, kNoWait = 8, kAppend = 16;

Result<size_t> readv_at(Task& task, int fd, uint64_t address, uint64_t count, int64_t offset, bool own,
                        uint32_t flags) {
  if (flags & ~(kHighPriority | kDataSync | kSync | kNoWait)) return Errno::opnotsupp;
  Ref<fs::File> file = TRY(readable_file(task, fd));
  Place place = own ? kOwnPosition : TRY(place_of(*file, offset));
  IovecArgument iov;
  TRY(iov.read(task, address, count));
  return count_read(task, read_at(task, *file, iov.segments(), place, flags & kNoWait));
}

Result<size_t> writev_at(Task& task, int fd, uint64_t address, uint64_t count, int64_t offset, bool own,
                         uint32_t flags) {
  if (flags & ~(kHighPriority | kDataSync | kSync | kNoWait | kAppend)) return Errno::opnotsupp;
  Ref<fs::File> file = TRY(writable_file(task, fd));
  Place place = own ? kOwnPosition : TRY(place_of(*file, offset));
  IovecArgument iov;
  TRY(iov.read(task, address, count));
  if ((flags & kAppend) && file->seekable()) place = {false, TRY(file->seek(0, 2, 0))};
  size_t n = TRY(count_write(task, write_at(task, *file, iov, place, flags & kNoWait)));
  if (n > 0 && (flags & (kDataSync | kSync)) && file->seekable()) TRY(file->sync(!(flags & kSync)));
  return n;
}

}  // namespace

Result<size_t> read_file_at(Task& task, fs::File& file, std::span<const mm::IoSegment> segments,
                            uint64_t offset, bool nonblocking) {
  return read_at(task, file, segments, {false, offset}, nonblocking);
}

Result<size_t> write_file_at(Task& task, fs::File& file, IovecArgument& iov, uint64_t offset,
                             bool nonblocking) {
  return write_at(task, file, iov, {false, offset}, nonblocking);
}

Result<size_t> sys_read(Task& task, int fd, uint64_t buffer, uint64_t size) {
  Ref<fs::File> file = TRY(readable_file(task, fd));
  return read_one(task, *file, buffer, size, kOwnPosition);
}

Result<size_t> sys_write(Task& task, int fd, uint64_t buffer, uint64_t size) {
  Ref<fs::File> file = TRY(writable_file(task, fd));
  return write_one(task, *file, buffer, size, kOwnPosition);
}

Result<size_t> sys_pread64(Task& task, int fd, uint64_t buffer, uint64_t size, int64_t offset) {
  if (offset < 0) return Errno::inval;
  Ref<fs::File> file = TRY(readable_file(task, fd));
  return read_one(task, *file, buffer, size, TRY(place_of(*file, offset)));
}

Result<size_t> sys_pwrite64(Task& task, int fd, uint64_t buffer, uint64_t size, int64_t offset) {
  if (offset < 0) return Errno::inval;
  Ref<fs::File> file = TRY(writable_file(task, fd));
  return write_one(task, *file, buffer, size, TRY(place_of(*file, offset)));
}

Result<size_t> sys_readv(Task& task, int fd, uint64_t iov, uint64_t count) {
  return readv_at(task, fd, iov, count, 0, true, 0);
}

Result<size_t> sys_writev(Task& task, int fd, uint64_t iov, uint64_t count) {
  return writev_at(task, fd, iov, count, 0, true, 0);
}

// x86-64 passes the whole offset in `low`.
Result<size_t> sys_preadv(Task& task, int fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t) {
  return readv_at(task, fd, iov, count, static_cast<int64_t>(low), false, 0);
}

Result<size_t> sys_pwritev(Task& task, int fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t) {
  return writev_at(task, fd, iov, count, static_cast<int64_t>(low), false, 0);
}

Result<size_t> sys_preadv2(Task& task, int fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t,
                           uint32_t flags) {
  auto offset = static_cast<int64_t>(low);
  return readv_at(task, fd, iov, count, offset, offset == -1, flags);
}

Result<size_t> sys_pwritev2(Task& task, int fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t,
                            uint32_t flags) {
  auto offset = static_cast<int64_t>(low);
  return writev_at(task, fd, iov, count, offset, offset == -1, flags);
}

}  // namespace runsc::kernel
