// Character devices: what open(2) of a device node gives.
#pragma once

#include <span>

#include "fs/credentials.h"
#include "fs/file.h"
#include "fs/inode.h"

namespace runsc::fs {

// Opens the device that `inode` (a character or block device with attributes rdev) names. ENXIO: no such
// device. EIO, ENODEV from the driver. The VFS has checked permissions and MS_NODEV.
Result<Ref<File>> open_device(Ref<Inode> inode, uint64_t rdev, uint32_t flags, const Credentials& creds);

// Random bytes for /dev/random and /dev/urandom; defined by the kernel.
void fill_random(std::span<std::byte> out);

// The standard nodes of a container's /dev (OCI runtime specification, "Default Devices"), apart from links.
struct StandardDevice {
  std::string_view name;
  uint32_t major, minor, mode;
};
std::span<const StandardDevice> standard_devices();

}  // namespace runsc::fs
