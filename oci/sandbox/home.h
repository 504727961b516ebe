// Host only. The home directory of a container's user, as runc finds it.
#pragma once

#include <cstdint>
#include <string>

#include "oci/spec/spec.h"

namespace runsc::oci {

// runc sets HOME from the container's passwd file where `process` does not: `root` is its root directory.
void add_home(Process& process, int root);

// From etc/passwd beneath `root`, a directory: links are followed within it, never out of it. "/" if the file
// or the user is not there.
std::string home_directory(int root, uint32_t uid);

// The field of the line for `uid` in the text of a passwd(5) file; empty if there is none.
std::string home_from_passwd(const std::string& text, uint32_t uid);

}  // namespace runsc::oci
