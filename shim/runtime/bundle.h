// Host only. What the shim reads of a bundle's config.json: its annotations.
#pragma once

#include <map>
#include <string>

#include "oci/host/error.h"

namespace runsc::shim {

using Annotations = std::map<std::string, std::string>;

// Annotations whose value is not a string are left out.
oci::Expected<Annotations> read_annotations(const std::string& bundle);
oci::Expected<Annotations> parse_annotations(const std::string& config);

// The name that all containers of one shim share: the pod's, for a container in a pod, else the container's
// own.
std::string group_of(const Annotations& annotations, const std::string& id);

// A name of a container or an exec'ed process that is safe as a file name and as an argument of a command.
bool is_valid_id(const std::string& id);

}  // namespace runsc::shim
