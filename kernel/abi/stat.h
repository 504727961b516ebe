// Layouts of file attributes as system calls show them (stat(2), statx(2), statfs(2), getdents(2)).
#pragma once

#include <cstdint>

namespace runsc::abi {

struct Stat {
  uint64_t dev, ino, nlink;
  uint32_t mode, uid, gid, pad;
  uint64_t rdev;
  int64_t size, block_size, blocks;
  uint64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
  int64_t unused[3];
};
static_assert(sizeof(Stat) == 144);

struct StatxTime {
  int64_t sec;
  uint32_t nsec;
  int32_t reserved;
};

struct Statx {
  uint32_t mask, block_size;
  uint64_t attributes;
  uint32_t nlink, uid, gid;
  uint16_t mode, spare0;
  uint64_t ino, size, blocks, attributes_mask;
  StatxTime atime, btime, ctime, mtime;
  uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  uint64_t mount_id;
  uint32_t dio_mem_align, dio_offset_align;
  uint64_t spare3[12];
};
static_assert(sizeof(Statx) == 256);

struct StatFs {
  int64_t type, block_size;
  uint64_t blocks, free_blocks, available_blocks, files, free_files;
  int32_t fsid[2];
  int64_t name_length, fragment_size, flags, spare[4];
};
static_assert(sizeof(StatFs) == 120);

struct Timespec {
  int64_t sec, nsec;
};
struct Timeval {
  int64_t sec, usec;
};

struct Flock {
  int16_t type, whence;
  int32_t pad1;
  int64_t start, size;
  int32_t pid, pad2;
};
static_assert(sizeof(Flock) == 32);

struct OpenHow {
  uint64_t flags, mode, resolve;
};

struct Iovec {
  uint64_t base, size;
};

namespace at {
inline constexpr int fdcwd = -100;
inline constexpr uint32_t symlink_nofollow = 0x100, eaccess = 0x200, removedir = 0x200,
                          symlink_follow = 0x400, no_automount = 0x800, empty_path = 0x1000,
                          statx_sync = 0x6000;
}  // namespace at

}  // namespace runsc::abi
