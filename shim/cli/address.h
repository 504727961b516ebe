// Host only. The socket of a shim: its name follows from what it serves, so that whoever is asked for a shim
// of the same pod finds the one that is there.
#pragma once

#include <string>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::shim {

// In the folder "s" beside containerd's socket, or in /run/containerd/s where that would be too long a name.
std::string socket_path(const std::string& containerd_address, const std::string& name_space,
                        const std::string& group);

// Whether somebody accepts connections there.
bool is_served(const std::string& path);

// Makes the folder and listens; a socket that nobody serves is replaced. No descriptor: it is served by
// another.
oci::Expected<oci::UniqueFd> listen_at(const std::string& path);

// Takes the socket away unless somebody serves it.
void remove_unserved(const std::string& path);

}  // namespace runsc::shim
