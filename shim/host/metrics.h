// Host only. What `events --stats` of the runtime tells, as containerd wants to have it.
#pragma once

#include <string>

#include "oci/host/error.h"
#include "wire.pb.h"

namespace runsc::shim {

enum class CgroupVersion { one, two };

// io.containerd.cgroups.v1.Metrics or its namesake of version 2, by what the host has. What the text does not
// tell is 0.
oci::Expected<wire::Any> to_metrics(const std::string& stats, CgroupVersion version);

}  // namespace runsc::shim
