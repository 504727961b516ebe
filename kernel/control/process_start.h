// How a process that the host describes gets to its program: streams, limits, user, directory, program.
#pragma once

#include <expected>

#include "kernel/base/format.h"
#include "kernel/container.h"
#include "kernel/task.h"

namespace runsc::kernel {

// Why it did not start, for the user, and the exit status that shells and runtimes give that.
struct StartFailure {
  static constexpr uint32_t kNotFound = 127, kCannotExecute = 126, kFailed = 128;

  template <class... Args>
  static std::unexpected<StartFailure> of(uint32_t status, std::string_view fmt, const Args&... args) {
    StartFailure failure;
    failure.status = status;
    FixedText text(failure.text);
    format(text, fmt, args...);
    failure.length = static_cast<uint32_t>(text.view().size());
    return std::unexpected(failure);
  }
  std::string_view view() const { return {text, length}; }

  uint32_t status = kFailed, length = 0;
  char text[512];
};
template <class T>
using Started = std::expected<T, StartFailure>;

struct Program {
  Ref<fs::File> file;
  String path;
};

// In the context of `task`, which has its root directory but nothing else of the container yet: gives it
// everything that `spec` says and finds the program. May sleep.
Started<Program> prepare_process(Task& task, const ProcessSpec& spec);
// The last step: on success the task's registers are those of the program.
Started<void> execute_process(Task& task, const ProcessSpec& spec, Program program);

// An errno as runtimes put it to users.
std::string_view reason(Errno e);

}  // namespace runsc::kernel
