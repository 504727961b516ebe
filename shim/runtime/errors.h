// Host only. What the runtime says when it fails, in containerd's words.
#pragma once

#include <string>
#include <string_view>

#include "shim/base/status.h"

namespace runsc::shim {

// The last error in a log written with --log-format json; empty: there is none.
std::string last_error(std::string_view log);

// The status for a failed command `verb` of the runtime that gave `message` as its reason.
Status runtime_failure(std::string_view verb, const std::string& message);

}  // namespace runsc::shim
