// Host only. The parsers of config.json's larger parts, one file each; private to this folder. All throw
// SpecError.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "oci/spec/json_reader.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

Process parse_process(const JsonReader& process, std::vector<std::string>& warnings);
std::vector<Mount> parse_mounts(const JsonReader& mounts);
Linux parse_linux(const JsonReader& linux_node);
Resources parse_resources(const JsonReader& resources);
SeccompProfile parse_seccomp(const JsonReader& seccomp);
Hooks parse_hooks(const JsonReader& hooks);
std::map<std::string, std::string> parse_string_map(const JsonReader& map);

}  // namespace runsc::oci
