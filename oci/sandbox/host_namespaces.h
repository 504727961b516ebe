// Host only. The namespaces that the sandbox process is in on the host. The container's own are made by the
// sentry; these are what engines look into (/proc/PID/ns/net) and a second wall.
#pragma once

#include "oci/host/error.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// Whether each path of config.json is a namespace of the type that it is given for.
Expected<void> check_namespace_paths(const Spec& spec);
// Joins those that config.json names by path, makes new ones where it asks for such: network, ipc, uts. With
// one thread.
Expected<void> enter_namespaces(const Spec& spec);

}  // namespace runsc::oci
