// What the kernel brings to the VFS: the file systems, the devices, the clock, randomness.
#pragma once

namespace runsc::kernel {

// Before the container's mounts are made.
void register_filesystems();

}  // namespace runsc::kernel
