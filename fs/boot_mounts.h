// A container's tree of mounts, built before it starts out of its description
// (kvm/hostcall/container_spec.h).
#pragma once

#include "fs/namespace.h"
#include "kvm/hostcall/container_spec.h"

namespace runsc::fs {

class MountNamespace;

// `reader` stands before the root handle; it is read to the end. The root becomes the root of `ns`, the
// rest is mounted on it in order; missing mount points are made, as other runtimes do. The result stands at
// the root. Errors: EINVAL (a bad description), ENOMEM, and what a mount gives; which one it was goes to the
// log.
Result<Ref<FsContext>> boot_mounts(MountNamespace& ns, hostcall::ContainerReader& reader, uint32_t umask);

}  // namespace runsc::fs
