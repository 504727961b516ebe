#include "kvm/monitor/services/valid.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>

namespace runsc::monitor {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMostFileSize = INT64_MAX;
constexpr std::uint32_t kPermissionBits = 07777;
// Smallest buffer of read_dir: one entry with the longest name.
constexpr std::uint64_t kSmallestDirBuffer = sizeof(hostcall::DirEntry) + 256 + 8;
constexpr int kOpenFlags = O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_DIRECTORY | O_PATH;

bool bad_component(std::string_view name) { return name.empty() || name == "." || name == ".."; }

std::string printable(const char* text, std::size_t length, std::size_t capacity) {
  std::string line(text, std::min(length, capacity));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = c == '\n' || c == '\t' ? ' ' : '.';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

Result<timespec> time_value(std::int64_t sec, std::uint32_t nsec, bool given, bool now) {
  timespec t{};
  if (now) {
    t.tv_nsec = UTIME_NOW;
  } else if (!given) {
    t.tv_nsec = UTIME_OMIT;
  } else {
    if (nsec >= 1'000'000'000) return Errno::inval;
    t.tv_sec = sec;
    t.tv_nsec = nsec;
  }
  return t;
}

}  // namespace

Result<ValidPath> parse_path(const hostcall::PathArg& path) {
  if (path.length >= hostcall::kMaxPath) return Errno::nametoolong;
  std::string_view text(path.bytes, path.length);
  if (text.find('\0') != text.npos) return Errno::inval;
  for (std::size_t at = 0; !text.empty() && at <= text.size();) {
    std::size_t end = std::min(text.find('/', at), text.size());
    if (bad_component(text.substr(at, end - at))) return Errno::inval;
    at = end + 1;
  }
  return ValidPath{path.root, std::string(text)};
}

Result<ValidRanges> parse_ranges(const hostcall::Ranges& ranges, const Bounds& bounds) {
  if (ranges.count > hostcall::kMaxRanges) return Errno::inval;
  ValidRanges valid;
  for (unsigned i = 0; i < ranges.count; ++i) {
    hostcall::PhysRange r = ranges.at[i];
    if (!bounds.holds(r.phys, r.size)) return Errno::fault;
    r.size = std::min(r.size, kMostTransfer - valid.total);
    if (r.size == 0) continue;
    valid.at[valid.count++] = r;
    valid.total += r.size;
  }
  return valid;
}

Result<ValidRanges> parse_page_ranges(const hostcall::Ranges& ranges, const Bounds& bounds) {
  if (ranges.count > hostcall::kMaxRanges) return Errno::inval;
  ValidRanges valid;
  for (unsigned i = 0; i < ranges.count; ++i) {
    hostcall::PhysRange r = ranges.at[i];
    if (r.phys % kPage != 0 || r.size % kPage != 0 || r.size == 0) return Errno::inval;
    if (!bounds.holds(r.phys, r.size)) return Errno::fault;
    valid.at[valid.count++] = r;
  }
  return valid;
}

Result<ValidOpen> parse_open(const hostcall::OpenPath::Request& request) {
  int flags = static_cast<int>(request.flags);
  if ((flags & ~kOpenFlags) != 0 || (flags & O_ACCMODE) == O_ACCMODE) return Errno::inval;
  if ((request.mode & ~kPermissionBits) != 0) return Errno::inval;
  ValidOpen valid;
  valid.path = TRY(parse_path(request.path));
  valid.create = (flags & O_CREAT) != 0;
  valid.exclusive = (flags & O_EXCL) != 0;
  if (valid.exclusive && !valid.create) return Errno::inval;
  if (valid.create && (flags & (O_DIRECTORY | O_PATH)) != 0) return Errno::inval;
  if ((flags & O_PATH) != 0) flags &= O_PATH | O_DIRECTORY;  // openat2 takes nothing else with it
  valid.flags = (flags & ~(O_CREAT | O_EXCL)) | O_NOFOLLOW | O_CLOEXEC;
  if ((flags & O_PATH) == 0) valid.flags |= O_NONBLOCK | O_NOCTTY;
  valid.mode = request.mode;
  valid.uid = request.uid;
  valid.gid = request.gid;
  return valid;
}

Result<ValidSetAttr> parse_set_attr(const hostcall::SetAttr::Request& request) {
  using A = hostcall::SetAttr;
  constexpr std::uint32_t kAll =
      A::kMode | A::kUid | A::kGid | A::kAtime | A::kMtime | A::kAtimeNow | A::kMtimeNow;
  const std::uint32_t mask = request.mask;
  if ((mask & ~kAll) != 0) return Errno::inval;
  if ((mask & A::kMode) != 0 && (request.mode & ~kPermissionBits) != 0) return Errno::inval;
  ValidSetAttr valid{};
  valid.path = TRY(parse_path(request.path));
  valid.mask = mask;
  valid.mode = request.mode;
  valid.uid = (mask & A::kUid) != 0 ? request.uid : ~0U;
  valid.gid = (mask & A::kGid) != 0 ? request.gid : ~0U;
  valid.times[0] = TRY(
      time_value(request.atime_sec, request.atime_nsec, (mask & A::kAtime) != 0, (mask & A::kAtimeNow) != 0));
  valid.times[1] = TRY(
      time_value(request.mtime_sec, request.mtime_nsec, (mask & A::kMtime) != 0, (mask & A::kMtimeNow) != 0));
  valid.sets_times = (mask & (A::kAtime | A::kMtime | A::kAtimeNow | A::kMtimeNow)) != 0;
  return valid;
}

Result<ValidReadDir> parse_read_dir(const hostcall::ReadDir::Request& request, const Bounds& bounds) {
  if (!bounds.holds(request.buffer.phys, request.buffer.size)) return Errno::fault;
  if (request.buffer.size < kSmallestDirBuffer || request.offset > kMostFileSize) return Errno::inval;
  hostcall::PhysRange buffer = request.buffer;
  buffer.size = std::min<std::uint64_t>(buffer.size, 1 << 20);
  return ValidReadDir{request.handle, request.with_stat != 0, request.offset, buffer};
}

Result<ValidTransfer> parse_transfer(const hostcall::ReadWriteRequest& request, const Bounds& bounds) {
  if (request.offset > kMostFileSize) return Errno::inval;
  ValidTransfer valid;
  valid.handle = request.handle;
  valid.offset = request.offset;
  valid.ranges = TRY(parse_ranges(request.ranges, bounds));
  if (valid.ranges.total > kMostFileSize - valid.offset) return Errno::inval;
  return valid;
}

Result<ValidMapWindow> parse_map_window(const hostcall::MapWindow::Request& request) {
  if (request.size == 0 || request.size % kPage != 0 || request.offset % kPage != 0) return Errno::inval;
  if (request.size > hostcall::kWindowSize || request.offset > kMostFileSize - request.size)
    return Errno::inval;
  return ValidMapWindow{request.handle, request.writable != 0, request.offset, request.size};
}

Result<ValidMakeNode> parse_make_node(const hostcall::MakeNode::Request& request) {
  ValidMakeNode valid;
  valid.type = request.mode & S_IFMT;
  valid.permissions = request.mode & kPermissionBits;
  if ((request.mode & ~(S_IFMT | kPermissionBits)) != 0) return Errno::inval;
  switch (valid.type) {
    case S_IFDIR:
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
      break;
    case S_IFLNK: {
      if (request.target_length == 0 || request.target_length >= hostcall::kMaxPath) return Errno::inval;
      valid.target.assign(request.target, request.target_length);
      if (valid.target.find('\0') != std::string::npos) return Errno::inval;
      break;
    }
    default:  // devices are never made on the host
      return Errno::perm;
  }
  valid.path = TRY(parse_path(request.path));
  if (valid.path.is_root()) return Errno::exist;
  valid.uid = request.uid;
  valid.gid = request.gid;
  return valid;
}

namespace {

Result<ValidTwoPaths> parse_two(const hostcall::TwoPaths& request, std::uint32_t allowed) {
  if ((request.flags & ~allowed) != 0) return Errno::inval;
  ValidTwoPaths valid;
  valid.from = TRY(parse_path(request.from));
  valid.to = TRY(parse_path(request.to));
  if (valid.from.is_root() || valid.to.is_root()) return Errno::busy;
  valid.flags = request.flags;
  return valid;
}

}  // namespace

Result<ValidTwoPaths> parse_link(const hostcall::TwoPaths& request) { return parse_two(request, 0); }

Result<ValidTwoPaths> parse_rename(const hostcall::TwoPaths& request) {
  const uint32_t others = request.flags & (RENAME_NOREPLACE | RENAME_WHITEOUT);
  if ((request.flags & RENAME_EXCHANGE) && others != 0) return Errno::inval;
  return parse_two(request, RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT);
}

Result<ValidWatch> parse_watch(const hostcall::Watch::Request& request) {
  if (request.watch == 0 || request.mask == 0 || (request.mask & ~hostcall::Watch::kKinds) != 0)
    return Errno::inval;
  return ValidWatch{TRY(parse_path(request.path)), request.watch, request.mask};
}

Result<ValidXattr> parse_xattr(const hostcall::XattrRequest& request) {
  ValidXattr valid;
  if (request.name_length == 0 || request.name_length >= sizeof request.name) return Errno::range;
  valid.name.assign(request.name, request.name_length);
  if (valid.name.find('\0') != std::string::npos) return Errno::inval;
  // The other namespaces (security, trusted, system) have a meaning to the host.
  if (!valid.name.starts_with("user.")) return Errno::opnotsupp;
  valid.remove = request.value_length == ~0U;
  if (!valid.remove) {
    if (request.value_length > sizeof request.value) return Errno::toobig;
    valid.value = std::span(request.value, request.value_length);
  }
  if ((request.flags & ~(XATTR_CREATE | XATTR_REPLACE)) != 0) return Errno::inval;
  valid.flags = static_cast<int>(request.flags);
  valid.path = TRY(parse_path(request.path));
  return valid;
}

ValidText parse_log(const hostcall::Log::Request& request) {
  return {request.level, printable(request.text, request.length, sizeof request.text)};
}

ValidPanic parse_panic(const hostcall::Panic::Request& request) {
  return {request.rip,
          request.rsp,
          request.rbp,
          request.line,
          printable(request.file, request.file_length, sizeof request.file),
          printable(request.reason, request.reason_length, sizeof request.reason)};
}

Result<std::uint64_t> parse_file_size(std::uint64_t size) {
  if (size > kMostFileSize) return Errno::inval;
  return size;
}

}  // namespace runsc::monitor
