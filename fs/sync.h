// sync(2).
#pragma once

#include "fs/mount.h"

namespace runsc::fs {

// Everything that is mounted there. ENOMEM.
Result<void> sync_all(const MountNamespace& ns);

}  // namespace runsc::fs
