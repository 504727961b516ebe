// New file systems by name, for mount(2) and fsopen(2): who may have which, and whose they are
// (user_namespaces(7), "Interaction of user namespaces and other types of namespaces").
#pragma once

#include "fs/inode.h"
#include "kernel/task.h"

namespace runsc::kernel {

// For who asked with these credentials, and has others by now, perhaps. ENODEV: no such kind; EPERM: not for
// this task; and what the file system says of its options. The caller mounts it, or takes a MountHold.
Result<Ref<fs::SuperBlock>> new_super(Task& task, const fs::Credentials& asker, std::string_view type,
                                      std::string_view source, std::string_view data);
// Some kinds show what somebody may have covered on purpose: EPERM, unless that is to be seen already. What
// the mount must keep then (fs::mount_lock).
Result<uint32_t> check_revealing(Task& task, const fs::SuperBlock& super, uint64_t flags);

}  // namespace runsc::kernel
