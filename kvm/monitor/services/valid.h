// Requests of the sentry, judged. Each parser is a pure function of a private copy of the request: what
// passes is a Valid... type, and only those reach a service. Bounds that a request cannot know (how much RAM
// there is, how many CPUs) come in Bounds. Errors: EINVAL for nonsense, EFAULT for memory that is not RAM,
// ENAMETOOLONG for long paths.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kvm/hostcall/boot_info.h"
#include "kvm/hostcall/calls.h"

namespace runsc::monitor {

struct Bounds {
  std::uint64_t ram_limit;
  unsigned cpus;
  bool host_fifo = false;  // SandboxConfig::host_fifo
  bool holds(std::uint64_t phys, std::uint64_t size) const {
    return phys <= ram_limit && size <= ram_limit - phys;
  }
};

// Most bytes that one call moves; larger requests are cut short, as read(2) does.
inline constexpr std::uint64_t kMostTransfer = std::uint64_t{1} << 30;

// A path beneath a donated directory: no empty component, no "." or "..", no leading or trailing slash, no
// NUL.
// "" is the directory itself.
struct ValidPath {
  hostcall::Handle root;
  std::string path;

  bool is_root() const { return path.empty(); }
  bool single() const { return path.find('/') == std::string::npos; }
  std::string parent() const {
    auto slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
  }
  // The last component; empty for the directory itself.
  const char* name() const {
    auto slash = path.rfind('/');
    return path.c_str() + (slash == std::string::npos ? 0 : slash + 1);
  }
};
Result<ValidPath> parse_path(const hostcall::PathArg& path);

struct ValidRanges {
  unsigned count = 0;
  std::uint64_t total = 0;
  std::array<hostcall::PhysRange, hostcall::kMaxRanges> at;
};
Result<ValidRanges> parse_ranges(const hostcall::Ranges& ranges, const Bounds& bounds);
// For memory_release: whole pages only.
Result<ValidRanges> parse_page_ranges(const hostcall::Ranges& ranges, const Bounds& bounds);

struct ValidOpen {
  ValidPath path;
  int flags;  // for openat2(2); O_CREAT and O_EXCL are told apart below
  bool create;
  bool exclusive;
  std::uint32_t mode;  // permission bits
  std::uint32_t uid, gid;
};
Result<ValidOpen> parse_open(const hostcall::OpenPath::Request& request);

struct ValidSetAttr {
  ValidPath path;
  std::uint32_t mask, mode, uid, gid;
  timespec times[2];  // as utimensat(2) takes them
  bool sets_times;
};
Result<ValidSetAttr> parse_set_attr(const hostcall::SetAttr::Request& request);

struct ValidReadDir {
  hostcall::Handle handle;
  bool with_stat;
  std::uint64_t offset;
  hostcall::PhysRange buffer;
};
Result<ValidReadDir> parse_read_dir(const hostcall::ReadDir::Request& request, const Bounds& bounds);

struct ValidTransfer {
  hostcall::Handle handle;
  std::uint64_t offset;
  ValidRanges ranges;
};
Result<ValidTransfer> parse_transfer(const hostcall::ReadWriteRequest& request, const Bounds& bounds);

struct ValidMapWindow {
  hostcall::Handle handle;
  bool writable;
  std::uint64_t offset, size;
};
Result<ValidMapWindow> parse_map_window(const hostcall::MapWindow::Request& request);

struct ValidMakeNode {
  ValidPath path;  // not the root
  std::uint32_t type, permissions;
  std::uint32_t uid, gid;
  std::string target;
};
Result<ValidMakeNode> parse_make_node(const hostcall::MakeNode::Request& request);

struct ValidTwoPaths {
  ValidPath from, to;  // neither the root
  std::uint32_t flags;
};
Result<ValidTwoPaths> parse_link(const hostcall::TwoPaths& request);
Result<ValidTwoPaths> parse_rename(const hostcall::TwoPaths& request);

struct ValidXattr {
  ValidPath path;
  std::string name;
  std::span<const std::uint8_t> value;  // into the request
  bool remove;
  int flags;
};
Result<ValidXattr> parse_xattr(const hostcall::XattrRequest& request);

struct ValidWatch {
  ValidPath path;
  std::uint32_t number, mask;
};
Result<ValidWatch> parse_watch(const hostcall::Watch::Request& request);

struct ValidText {
  unsigned level;
  std::string text;  // one line of printable characters
};
ValidText parse_log(const hostcall::Log::Request& request);

struct ValidPanic {
  std::uint64_t rip, rsp, rbp;
  unsigned line;
  std::string file, reason;
};
ValidPanic parse_panic(const hostcall::Panic::Request& request);

Result<std::uint64_t> parse_file_size(std::uint64_t size);

}  // namespace runsc::monitor
