// HandleRequest::argument of Sync: what is written back.
#pragma once

#include <cstdint>

namespace runsc::hostcall {

enum class SyncKind : uint32_t { file = 0, data = 1, file_system = 2 };

}  // namespace runsc::hostcall
