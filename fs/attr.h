// Attributes of an inode (inode(7)) and small types of the VFS.
#pragma once

#include <cstdint>

namespace runsc::fs {

struct Time {
  int64_t sec = 0;
  uint32_t nsec = 0;
};

// File type bits of st_mode.
inline constexpr uint32_t kTypeMask = 0170000, kSocket = 0140000, kSymlink = 0120000, kRegular = 0100000,
                          kBlockDev = 0060000, kDirectory = 0040000, kCharDev = 0020000, kFifo = 0010000,
                          kSetUid = 04000, kSetGid = 02000, kSticky = 01000;

struct Attr {
  uint64_t dev = 0, ino = 0;
  uint32_t mode = 0, nlink = 1, uid = 0, gid = 0;
  uint64_t rdev = 0, size = 0, blocks = 0;  // blocks of 512 bytes
  uint32_t block_size = 4096;
  bool has_acl = false;  // its access control list says more than the mode (fs/acl.h)
  Time atime, mtime, ctime, btime;
};

struct SetAttr {
  enum Mask : uint32_t {
    kMode = 1,
    kUid = 2,
    kGid = 4,
    kSize = 8,
    kAtime = 16,
    kMtime = 32,
    kAtimeNow = 64,
    kMtimeNow = 128
  };
  uint32_t mask = 0;
  uint32_t mode = 0, uid = 0, gid = 0;
  uint64_t size = 0;
  Time atime, mtime;
};

// makedev(3) in the encoding that stat(2) shows.
constexpr uint64_t make_dev(uint32_t major, uint32_t minor) {
  return (minor & 0xff) | ((major & 0xfffull) << 8) | ((minor & 0xffffff00ull) << 12) |
         ((major & 0xfffff000ull) << 32);
}

// Open flags (open(2)), x86-64 values.
namespace open_flag {
inline constexpr uint32_t accmode = 3, rdonly = 0, wronly = 1, rdwr = 2, creat = 0100, excl = 0200,
                          noctty = 0400, trunc = 01000, append = 02000, nonblock = 04000, dsync = 010000,
                          async = 020000, direct = 040000, largefile = 0100000, directory = 0200000,
                          nofollow = 0400000, noatime = 01000000, cloexec = 02000000, sync = 04010000,
                          path = 010000000, tmpfile = 020200000;
}

// poll(2) bits.
namespace poll_bit {
inline constexpr uint32_t in = 1, pri = 2, out = 4, err = 8, hup = 0x10, nval = 0x20, rdnorm = 0x40,
                          rdband = 0x80, wrnorm = 0x100, wrband = 0x200, msg = 0x400, rdhup = 0x2000;
}

// The kernel's clock for timestamps; defined by kernel/time.
Time now_realtime();

}  // namespace runsc::fs
