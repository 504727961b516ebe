#include "kernel/filesystems.h"

#include "fs/dev/device.h"
#include "fs/filesystem.h"
#include "fs/overlay/overlay.h"
#include "fs/special.h"
#include "fs/tty/devpts.h"
#include "kernel/ipc/mqueue_fs.h"
#include "kernel/proc/proc.h"
#include "kernel/random.h"

namespace runsc::kernel {

namespace {

Result<Ref<fs::File>> open_char_device(Ref<fs::Inode> inode, const fs::Attr& attr, uint32_t flags) {
  return fs::open_device(std::move(inode), attr.rdev, flags, Task::current().creds());
}

}  // namespace

void register_filesystems() {
  fs::register_filesystem("tmpfs", fs::TmpfsSuper::mount);
  fs::register_filesystem("ramfs", fs::TmpfsSuper::mount);
  fs::register_filesystem("proc", mount_proc);
  fs::register_filesystem("sysfs", mount_sysfs);
  fs::register_filesystem("cgroup2", mount_cgroup);
  fs::register_filesystem("devpts", fs::DevPts::mount);
  fs::register_filesystem("mqueue", mount_mqueue);
  fs::set_char_device_opener(open_char_device);
}

}  // namespace runsc::kernel

namespace runsc::fs {

void fill_random(std::span<std::byte> out) { kernel::random_bytes(out); }

}  // namespace runsc::fs
