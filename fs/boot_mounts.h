// A container's tree of mounts, built before it starts out of its description
// (kvm/hostcall/container_spec.h).
#pragma once

#include <expected>

#include "fs/namespace.h"
#include "kvm/hostcall/container_spec.h"

namespace runsc::fs {

class MountNamespace;

// Which part of the description could not be had.
struct BootMountFailure {
  Errno error;
  std::string_view what, path;  // "mounting", a path of the description
};

// `reader` stands before the root handle; it is read to the end. The root becomes the root of `ns`, the
// rest is mounted on it in order; missing mount points are made, as other runtimes do. The result stands at
// the root. Errors: EINVAL (a bad description), ENOMEM, and what a mount gives; EEXIST: a device's place
// is taken.
std::expected<Ref<FsContext>, BootMountFailure> boot_mounts(MountNamespace& ns,
                                                            hostcall::ContainerReader& reader,
                                                            uint32_t umask);

}  // namespace runsc::fs
