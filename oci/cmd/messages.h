// Host only. What a command says to its user beside its output: on stderr, or where --log sends it.
#pragma once

#include <string>
#include <vector>

#include "oci/cmd/options.h"
#include "oci/host/error.h"

namespace runsc::oci {

// One line on stderr and, for callers that read it there, in the file of --log.
void show_error(const Options& options, const Error& error);
// One line each in the file of --log; on stderr without one.
void show_warnings(const Options& options, const std::vector<std::string>& warnings);

}  // namespace runsc::oci
