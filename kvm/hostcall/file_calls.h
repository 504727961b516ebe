// Hostcalls on files and directories. Part of the table in calls.h, which says what holds for all of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kvm/hostcall/call_types.h"

namespace runsc::hostcall {

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

// Changes that others make on the host, as inotify(7) tells them. Those of hostcalls are left out.
struct Watch {
  static constexpr Number kNumber = Number::watch;
  // IN_MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF; IN_UNMOUNT
  // comes unasked.
  static constexpr uint32_t kKinds = 0x0fce;
  struct Request {
    PathArg path;
    uint32_t watch;  // the sentry's number for it, not 0; again: adds to the mask
    uint32_t mask;
  };
  using Reply = Empty;
};
struct Unwatch {  // no change of this number is taken any more
  static constexpr Number kNumber = Number::unwatch;
  struct Request {
    uint32_t watch, reserved;
  };
  using Reply = Empty;
};
struct Change {
  uint32_t watch, mask, cookie, name_length;  // the name follows, then the next one at a multiple of 4
};
constexpr uint32_t change_size(uint32_t name_length) {
  return (static_cast<uint32_t>(sizeof(Change)) + name_length + 3) & ~3u;
}
struct TakeChanges {  // what EventKind::changes announced
  static constexpr Number kNumber = Number::take_changes;
  using Request = Empty;
  struct Reply {
    uint32_t size, more, overflowed, reserved;
    std::byte bytes[8192];
  };
};

}  // namespace runsc::hostcall
