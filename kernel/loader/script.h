// The first line of scripts (execve(2), "Interpreter scripts").
#pragma once

#include <span>
#include <string_view>

#include "fs/file.h"
#include "kernel/base/result.h"

namespace runsc::kernel {

inline constexpr size_t kScriptHead = 256;

struct ScriptLine {
  bool is_script = false;
  std::string_view interpreter, argument;  // parts of the bytes given
};
// ENOEXEC: "#!" without an interpreter, or one whose name is cut off.
Result<ScriptLine> parse_script(std::span<const std::byte> head);

// The first bytes of the file, as many as there are.
Result<size_t> read_head(fs::File& file, std::span<std::byte> out);

}  // namespace runsc::kernel
