// The table of hostcalls: numbers, requests and replies. All integers are host byte order; every struct is
// plain data without padding surprises (checked below). The monitor validates everything; error values are
// Errno numbers.
#pragma once

#include <cstdint>
#include <type_traits>

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
  // streams: donated pipes, sockets, terminals (stdio)
  stream_read = 64,
  stream_write,
  stream_poll,
  tty_get,
  tty_set,
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
  uint32_t block_size, reserved;
  int64_t atime_sec, mtime_sec, ctime_sec;
  uint32_t atime_nsec, mtime_nsec, ctime_nsec, reserved2;
};

struct Log {
  static constexpr Number kNumber = Number::log;
  struct Request {
    uint32_t level, length;
    char text[1024];
  };
  using Reply = Empty;
};
struct Exit {  // does not return
  static constexpr Number kNumber = Number::exit;
  struct Request {
    uint32_t wait_status;  // as wait(2) gives it for the container's init
    uint32_t reserved;
  };
  using Reply = Empty;
};
struct Panic {  // does not return: prints a report and ends the sandbox
  static constexpr Number kNumber = Number::panic;
  struct Request {
    uint64_t rip, rsp, rbp;
    uint32_t line, file_length, reason_length, reserved;
    char file[256];
    char reason[256];
  };
  using Reply = Empty;
};
struct ClockAnchor {
  static constexpr Number kNumber = Number::clock_anchor;
  using Request = Empty;
  struct Reply {
    uint64_t tsc;  // at which the others held
    int64_t realtime_ns, monotonic_ns;
  };
};
struct Random {
  static constexpr Number kNumber = Number::random;
  struct Request {
    uint32_t size, reserved;  // 1..256
  };
  struct Reply {
    uint8_t bytes[256];
  };
};
struct MemoryGrow {  // makes RAM up to phys_end usable; ENOMEM above the limit
  static constexpr Number kNumber = Number::memory_grow;
  struct Request {
    uint64_t phys_end;
  };
  struct Reply {
    uint64_t phys_end;  // reached, >= asked
  };
};
struct MemoryRelease {  // gives RAM back to the host; reads as zeros afterwards
  static constexpr Number kNumber = Number::memory_release;
  using Request = Ranges;
  using Reply = Empty;
};
struct CpuIdle {  // returns at the deadline, at a wake of this CPU since the last CpuIdle returned, or early
  static constexpr Number kNumber = Number::cpu_idle;
  struct Request {
    uint64_t deadline_tsc;  // ~0: none
  };
  using Reply = Empty;
};
struct CpuWake {  // ends CpuIdle of the CPUs in the mask; pulls one that runs user code out of it
                  // (Trap::interrupt)
  static constexpr Number kNumber = Number::cpu_wake;
  struct Request {
    uint64_t cpu_mask;
  };
  using Reply = Empty;
};

enum class EventKind : uint32_t { stream_ready = 1, signal = 2, window_size = 3 };
struct Event {
  EventKind kind;
  uint32_t handle;  // stream_ready
  uint32_t value;   // stream_ready: poll(2) bits; signal: number for the container's init; window_size:
                    // rows<<16|cols
  uint32_t reserved;
};
struct TakeEvents {  // what Shared::events_pending announced
  static constexpr Number kNumber = Number::take_events;
  using Request = Empty;
  struct Reply {
    uint32_t count, reserved;
    Event events[64];
  };
};

struct StatPath {
  static constexpr Number kNumber = Number::stat_path;
  using Request = PathArg;
  using Reply = HostStat;
};
struct OpenPath {
  static constexpr Number kNumber = Number::open_path;
  struct Request {
    PathArg path;
    uint32_t flags;  // Linux O_*: RDONLY, WRONLY, RDWR, CREAT, EXCL, TRUNC, APPEND, DIRECTORY, PATH;
                     // NOFOLLOW, NONBLOCK and CLOEXEC implied
    uint32_t mode;
    uint32_t uid, gid;  // owner of a file created here; ~0: leave
  };
  struct Reply {
    Handle handle;
    uint32_t reserved;
    HostStat stat;
  };
};
struct HandleRequest {
  Handle handle;
  uint32_t argument;  // Sync: 1 = data only
};
struct Close {
  static constexpr Number kNumber = Number::close;
  using Request = HandleRequest;
  using Reply = Empty;
};
struct Stat {
  static constexpr Number kNumber = Number::stat;
  using Request = HandleRequest;
  using Reply = HostStat;
};
struct SetAttr {  // chmod, chown, utimensat by path
  static constexpr Number kNumber = Number::set_attr;
  enum Mask : uint32_t {
    kMode = 1,
    kUid = 2,
    kGid = 4,
    kAtime = 8,
    kMtime = 16,
    kAtimeNow = 32,
    kMtimeNow = 64
  };
  struct Request {
    PathArg path;
    uint32_t mask, mode, uid, gid;
    int64_t atime_sec, mtime_sec;
    uint32_t atime_nsec, mtime_nsec;
  };
  using Reply = HostStat;
};
struct ReadLink {
  static constexpr Number kNumber = Number::read_link;
  using Request = PathArg;
  struct Reply {
    uint32_t length, reserved;
    char target[kMaxPath];
  };
};
// Directory entries with their attributes, packed into guest memory: DirEntry, name, NUL, padding to 8.
struct DirEntry {
  uint64_t next_offset;  // cookie to go on after this entry
  uint32_t record_size;
  uint16_t name_length;
  uint8_t type;      // DT_*
  uint8_t has_stat;  // 1: stat is valid
  uint64_t ino;
  HostStat stat;
};
struct ReadDir {
  static constexpr Number kNumber = Number::read_dir;
  struct Request {
    Handle handle;
    uint32_t with_stat;
    uint64_t offset;  // 0 or a next_offset
    PhysRange buffer;
  };
  struct Reply {
    uint64_t size;  // bytes filled; 0 at the end. "." and ".." are left out
  };
};
struct ReadWriteRequest {
  Handle handle;
  uint32_t reserved;
  uint64_t offset;  // streams: ignored
  Ranges ranges;
};
struct SizeReply {
  uint64_t size;
};
struct Read {
  static constexpr Number kNumber = Number::read;
  using Request = ReadWriteRequest;
  using Reply = SizeReply;
};
struct Write {
  static constexpr Number kNumber = Number::write;
  using Request = ReadWriteRequest;
  using Reply = SizeReply;
};
struct MapWindow {  // shows file bytes in the window; the guest maps or copies them from there
  static constexpr Number kNumber = Number::map_window;
  struct Request {
    Handle handle;
    uint32_t writable;
    uint64_t offset, size;  // multiples of 4096
  };
  struct Reply {
    uint64_t phys;
  };
};
struct UnmapWindow {
  static constexpr Number kNumber = Number::unmap_window;
  using Request = PhysRange;
  using Reply = Empty;
};
struct Truncate {
  static constexpr Number kNumber = Number::truncate;
  struct Request {
    Handle handle;
    uint32_t reserved;
    uint64_t size;
  };
  using Reply = Empty;
};
struct Sync {
  static constexpr Number kNumber = Number::sync;
  using Request = HandleRequest;
  using Reply = Empty;
};
struct Allocate {  // fallocate(2)
  static constexpr Number kNumber = Number::allocate;
  struct Request {
    Handle handle;
    uint32_t mode;
    uint64_t offset, size;
  };
  using Reply = Empty;
};
struct StatFs {
  static constexpr Number kNumber = Number::stat_fs;
  using Request = HandleRequest;
  struct Reply {
    uint64_t type, block_size, blocks, free_blocks, available_blocks, files, free_files, name_length;
  };
};
struct MakeNode {  // mkdir, mknod (regular, FIFO, socket), symlink: by the type bits of mode
  static constexpr Number kNumber = Number::make_node;
  struct Request {
    PathArg path;
    uint32_t mode, uid, gid, target_length;
    char target[kMaxPath];  // symbolic link
  };
  using Reply = HostStat;
};
struct TwoPaths {
  PathArg from, to;  // kMaxPath each: fits the body
  uint32_t flags, reserved;
};
struct MakeLink {
  static constexpr Number kNumber = Number::make_link;
  using Request = TwoPaths;
  using Reply = HostStat;
};
struct Unlink {
  static constexpr Number kNumber = Number::unlink;
  struct Request {
    PathArg path;
    uint32_t directory, reserved;
  };
  using Reply = Empty;
};
struct Rename {
  static constexpr Number kNumber = Number::rename;
  using Request = TwoPaths;  // flags: RENAME_NOREPLACE, RENAME_EXCHANGE
  using Reply = Empty;
};
struct XattrRequest {
  PathArg path;
  uint32_t name_length, value_length, flags, reserved;
  char name[256];
  uint8_t value[4096];
};
struct XattrReply {
  uint32_t size, reserved;
  uint8_t value[4096];
};
struct GetXattr {
  static constexpr Number kNumber = Number::get_xattr;
  using Request = XattrRequest;
  using Reply = XattrReply;
};
struct SetXattr {
  static constexpr Number kNumber = Number::set_xattr;
  using Request = XattrRequest;  // value_length ~0: remove
  using Reply = Empty;
};
struct ListXattr {
  static constexpr Number kNumber = Number::list_xattr;
  using Request = PathArg;
  using Reply = XattrReply;
};
struct SeekData {  // lseek SEEK_DATA (whence 3) and SEEK_HOLE (4)
  static constexpr Number kNumber = Number::seek_data;
  struct Request {
    Handle handle;
    uint32_t whence;
    uint64_t offset;
  };
  using Reply = SizeReply;
};

// Streams never block: EAGAIN when nothing can be moved.
struct StreamRead {
  static constexpr Number kNumber = Number::stream_read;
  using Request = ReadWriteRequest;
  using Reply = SizeReply;
};
struct StreamWrite {
  static constexpr Number kNumber = Number::stream_write;
  using Request = ReadWriteRequest;
  using Reply = SizeReply;
};
struct StreamPoll {  // readiness now; bits asked for that are not ready arm one stream_ready event
  static constexpr Number kNumber = Number::stream_poll;
  struct Request {
    Handle handle;
    uint32_t events;  // poll(2) bits
  };
  struct Reply {
    uint32_t events, reserved;
  };
};
struct TtyState {
  uint32_t is_tty;
  uint32_t iflag, oflag, cflag, lflag;
  uint16_t rows, columns;
  uint8_t line;
  uint8_t cc[19];
};
struct TtyGet {
  static constexpr Number kNumber = Number::tty_get;
  using Request = HandleRequest;
  using Reply = TtyState;
};
struct TtySet {
  static constexpr Number kNumber = Number::tty_set;
  struct Request {
    Handle handle;
    uint32_t what;  // 1: termios (TCSETSW), 2: window size
    TtyState state;
  };
  using Reply = Empty;
};

template <class Call>
concept HostCall = std::is_trivially_copyable_v<typename Call::Request> &&
                       std::is_trivially_copyable_v<typename Call::Reply> &&
                       sizeof(typename Call::Request) <= kBodySize
                   && sizeof(typename Call::Reply) <= kBodySize;

}  // namespace runsc::hostcall
