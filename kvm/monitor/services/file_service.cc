// Hostcalls on open host files.
#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "kvm/hostcall/sync_kind.h"
#include "kvm/monitor/services/path_ops.h"
#include "kvm/monitor/services/services.h"

namespace runsc::monitor {
namespace {

// getdents64(2)'s records.
struct HostDirent {
  std::uint64_t ino;
  std::int64_t next_offset;
  std::uint16_t record_size;
  std::uint8_t type;
};
constexpr std::size_t kDirentName = 19;  // offset of d_name
// How much larger than the host's record one of ours is, about: sizes the host's buffer to the guest's.
constexpr std::uint64_t kDirentGrowth = 5;
constexpr std::uint64_t kSmallestHostBuffer = 1024;

// Fills the guest's buffer with entries, never beyond its end.
class DirWriter {
 public:
  DirWriter(std::byte* to, std::uint64_t size) : to_(to), size_(size) {}
  std::uint64_t used() const { return used_; }

  static std::uint64_t record_size(std::size_t name_length) {
    return (sizeof(hc::DirEntry) + name_length + 1 + 7) & ~std::uint64_t{7};
  }
  bool fits(std::size_t name_length) const { return record_size(name_length) <= size_ - used_; }

  void add(const HostDirent& d, std::string_view name, const struct stat* st) {
    hc::DirEntry entry{};
    const std::uint64_t size = record_size(name.size());
    entry.next_offset = static_cast<std::uint64_t>(d.next_offset);
    entry.record_size = static_cast<std::uint32_t>(size);
    entry.name_length = static_cast<std::uint16_t>(name.size());
    entry.type = d.type;
    entry.ino = d.ino;
    if (st != nullptr) {
      entry.has_stat = 1;
      entry.stat = to_host_stat(*st);
    }
    std::byte* at = to_ + used_;
    std::memset(at + size - 8, 0, 8);
    std::memcpy(at, &entry, sizeof entry);
    std::memcpy(at + sizeof entry, name.data(), name.size());
    at[sizeof entry + name.size()] = std::byte{0};
    used_ += size;
  }

 private:
  std::byte* to_;
  std::uint64_t size_;
  std::uint64_t used_ = 0;
};

// Adds the records of one getdents64 answer. `next` moves behind each one taken; false: the guest's buffer is
// full.
bool add_records(int fd, std::span<const std::byte> records, bool with_stat, DirWriter& writer,
                 std::int64_t& next) {
  for (std::size_t at = 0; at < records.size();) {
    HostDirent d{};
    std::memcpy(&d, records.data() + at, kDirentName);
    const char* text = reinterpret_cast<const char*>(records.data()) + at + kDirentName;
    std::string_view name(text, ::strnlen(text, d.record_size - kDirentName));
    at += d.record_size;
    if (name != "." && name != "..") {
      if (!writer.fits(name.size())) return false;
      auto st = with_stat ? stat_entry(fd, text) : Result<struct stat>(Errno::noent);
      writer.add(d, name, st ? &*st : nullptr);
    }
    next = d.next_offset;
  }
  return true;
}

Result<HostFileRef> regular(Services& s, hc::Handle handle) {
  HostFileRef file = TRY(s.files.get(handle));
  struct stat st = TRY(stat_entry(file->fd.get(), ""));
  if (!S_ISREG(st.st_mode)) return Errno::nodev;
  return file;
}

}  // namespace

unsigned to_iovecs(const GuestMemory& memory, const ValidRanges& ranges,
                   std::span<iovec, hc::kMaxRanges> out) {
  for (unsigned i = 0; i < ranges.count; ++i) {
    out[i] = {memory.at(ranges.at[i].phys), static_cast<std::size_t>(ranges.at[i].size)};
  }
  return ranges.count;
}

Result<void> serve_close(Services& s, const hc::HandleRequest& request) {
  HostFileRef file = TRY(s.files.remove(request.handle));
  OwnChange own(s.watches, IN_CLOSE_WRITE | IN_DELETE_SELF);
  own.file(file->found());
  own.begin();
  if (file->stream != StreamKind::none) s.events.forget(request.handle, file->fd.get());
  file.reset();
  return {};
}

Result<void> serve_stat(Services& s, const hc::HandleRequest& request, hc::HostStat& reply) {
  HostFileRef file = TRY(s.files.get(request.handle));
  reply = to_host_stat(TRY(stat_entry(file->fd.get(), "")));
  const int flags = ::fcntl(file->fd.get(), F_GETFL);
  if (flags < 0) return host_errno(errno);
  reply.open_flags = static_cast<std::uint32_t>(flags);
  return {};
}

Result<void> serve_read_dir(Services& s, const hc::ReadDir::Request& request, hc::ReadDir::Reply& reply) {
  ValidReadDir valid = TRY(parse_read_dir(request, s.bounds));
  HostFileRef file = TRY(s.files.get(valid.handle));
  const int fd = file->fd.get();
  DirWriter writer(s.memory.at(valid.buffer.phys), valid.buffer.size);
  std::vector<std::byte> records(std::max(kSmallestHostBuffer, valid.buffer.size / kDirentGrowth));
  std::scoped_lock lock(file->position);
  std::int64_t next = static_cast<std::int64_t>(valid.offset);
  if (::lseek(fd, next, SEEK_SET) < 0) return host_errno(errno);
  for (;;) {
    long n = ::syscall(SYS_getdents64, fd, records.data(), records.size());
    if (n < 0) {
      if (writer.used() > 0) break;
      return host_errno(errno);
    }
    if (n == 0) break;
    if (!add_records(fd, std::span(records).first(static_cast<std::size_t>(n)), valid.with_stat, writer,
                     next))
      break;
  }
  reply.size = writer.used();
  return {};
}

Result<void> serve_read(Services& s, const hc::ReadWriteRequest& request, hc::SizeReply& reply) {
  ValidTransfer valid = TRY(parse_transfer(request, s.bounds));
  HostFileRef file = TRY(s.files.get(valid.handle));
  iovec parts[hc::kMaxRanges];
  int count = static_cast<int>(to_iovecs(s.memory, valid.ranges, parts));
  ssize_t n = ::preadv2(file->fd.get(), parts, count, static_cast<off_t>(valid.offset), 0);
  if (n < 0) return host_errno(errno);
  reply.size = static_cast<std::uint64_t>(n);
  return {};
}

Result<void> serve_write(Services& s, const hc::ReadWriteRequest& request, hc::SizeReply& reply) {
  ValidTransfer valid = TRY(parse_transfer(request, s.bounds));
  HostFileRef file = TRY(s.files.get(valid.handle));
  iovec parts[hc::kMaxRanges];
  int count = static_cast<int>(to_iovecs(s.memory, valid.ranges, parts));
  OwnChange own(s.watches, IN_MODIFY);
  own.file(file->found());
  own.begin();
  ssize_t n = ::pwritev2(file->fd.get(), parts, count, static_cast<off_t>(valid.offset), 0);
  if (n < 0) return host_errno(errno);
  reply.size = static_cast<std::uint64_t>(n);
  return {};
}

Result<void> serve_map_window(Services& s, const hc::MapWindow::Request& request,
                              hc::MapWindow::Reply& reply) {
  ValidMapWindow valid = TRY(parse_map_window(request));
  // A device's mmap is its driver's to define: regular files only.
  HostFileRef file = TRY(regular(s, valid.handle));
  auto phys = s.memory.window_map(file->fd.get(), valid.offset, valid.size, valid.writable);
  if (!phys) return phys.error().code != 0 ? host_errno(phys.error().code) : Errno::nomem;
  reply.phys = *phys;
  if (valid.writable) s.files.written_maps.add(*phys, std::move(file));
  return {};
}

Result<void> serve_unmap_window(Services& s, const hc::PhysRange& request) {
  HostFileRef file = s.files.written_maps.remove(request.phys);
  OwnChange own(s.watches, file ? IN_CLOSE_WRITE : 0);
  if (file) own.file(file->found());
  own.begin();
  if (!s.memory.window_unmap(request.phys)) return Errno::inval;
  file.reset();
  return {};
}

Result<void> serve_truncate(Services& s, const hc::Truncate::Request& request) {
  std::uint64_t size = TRY(parse_file_size(request.size));
  HostFileRef file = TRY(s.files.get(request.handle));
  OwnChange own(s.watches, IN_MODIFY);
  own.file(file->found());
  own.begin();
  if (::ftruncate(file->fd.get(), static_cast<off_t>(size)) < 0) return host_errno(errno);
  return {};
}

Result<void> serve_sync(Services& s, const hc::HandleRequest& request) {
  HostFileRef file = TRY(s.files.get(request.handle));
  int result = 0;
  switch (static_cast<hc::SyncKind>(request.argument)) {
    case hc::SyncKind::file:
    case hc::SyncKind::data:  // a little more than was asked for: the jail lets few calls through
      result = ::fsync(file->fd.get());
      break;
    case hc::SyncKind::file_system:
      result = ::syncfs(file->fd.get());
      break;
    default:
      return Errno::inval;
  }
  if (result < 0) return host_errno(errno);
  return {};
}

Result<void> serve_allocate(Services& s, const hc::Allocate::Request& request) {
  std::uint64_t offset = TRY(parse_file_size(request.offset));
  std::uint64_t size = TRY(parse_file_size(request.size));
  HostFileRef file = TRY(regular(s, request.handle));
  OwnChange own(s.watches, IN_MODIFY);
  own.file(file->found());
  own.begin();
  if (::fallocate(file->fd.get(), static_cast<int>(request.mode), static_cast<off_t>(offset),
                  static_cast<off_t>(size)) < 0) {
    return host_errno(errno);
  }
  return {};
}

Result<void> serve_stat_fs(Services& s, const hc::HandleRequest& request, hc::StatFs::Reply& reply) {
  HostFileRef file = TRY(s.files.get(request.handle));
  struct statfs st {};
  if (::fstatfs(file->fd.get(), &st) < 0) return host_errno(errno);
  reply.type = static_cast<std::uint64_t>(st.f_type);
  reply.block_size = static_cast<std::uint64_t>(st.f_bsize);
  reply.blocks = st.f_blocks;
  reply.free_blocks = st.f_bfree;
  reply.available_blocks = st.f_bavail;
  reply.files = st.f_files;
  reply.free_files = st.f_ffree;
  reply.name_length = static_cast<std::uint64_t>(st.f_namelen);
  return {};
}

Result<void> serve_seek_data(Services& s, const hc::SeekData::Request& request, hc::SizeReply& reply) {
  std::uint64_t offset = TRY(parse_file_size(request.offset));
  if (request.whence != SEEK_DATA && request.whence != SEEK_HOLE) return Errno::inval;
  HostFileRef file = TRY(regular(s, request.handle));
  off_t found = ::lseek(file->fd.get(), static_cast<off_t>(offset), static_cast<int>(request.whence));
  if (found < 0) return host_errno(errno);
  reply.size = static_cast<std::uint64_t>(found);
  return {};
}

}  // namespace runsc::monitor
