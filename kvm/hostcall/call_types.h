// What the table of hostcalls (calls.h) is made of: numbers and the parts that requests and replies share.
#pragma once

#include <cstdint>

#include "kvm/hostcall/frame.h"

namespace runsc::hostcall {

enum class Number : uint32_t {
  log = 1,
  exit,
  panic,
  clock_anchor,
  random,
  memory_grow,
  memory_release,
  cpu_idle,
  cpu_wake,
  take_events,
  // commands of the host
  take_command,
  read_command,
  answer_command,
  process_ended,
  container_oom,
  container_ready,
  // files beneath donated directories
  stat_path = 32,
  open_path,
  close,
  stat,
  set_attr,
  read_link,
  read_dir,
  read,
  write,
  map_window,
  unmap_window,
  truncate,
  sync,
  allocate,
  stat_fs,
  make_node,
  make_link,
  unlink,
  rename,
  get_xattr,
  set_xattr,
  list_xattr,
  seek_data,
  watch,
  unwatch,
  take_changes,
  // streams: donated pipes, sockets, terminals (stdio)
  stream_read = 64,
  stream_write,
  stream_poll,
  tty_get,
  tty_set,
  // network interfaces
  wire_attach = 80,
  wire_kick,
};

struct Empty {};

inline constexpr uint32_t kMaxPath = 4096;  // with the terminating NUL
inline constexpr uint32_t kMaxRanges = 64;

// A path relative to a donated directory, without "." or ".." or empty components ("" is the directory
// itself); no component is followed if it is a symbolic link (ELOOP), and nothing leaves the directory
// (EXDEV).
struct PathArg {
  Handle root;
  uint32_t length;  // without NUL
  char bytes[kMaxPath];
};

// Where file bytes come from or go to.
struct Ranges {
  uint32_t count;
  uint32_t reserved;
  PhysRange at[kMaxRanges];
};

// stat(2) as the host gives it (statx without its padding).
struct HostStat {
  uint64_t dev, ino;
  uint32_t mode, nlink, uid, gid;
  uint64_t rdev, size, blocks;  // blocks of 512 bytes
  uint32_t block_size;
  uint32_t open_flags;  // by handle: access mode and status flags of the descriptor; else 0
  int64_t atime_sec, mtime_sec, ctime_sec;
  uint32_t atime_nsec, mtime_nsec, ctime_nsec, reserved2;
};

}  // namespace runsc::hostcall
