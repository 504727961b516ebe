#include "kernel/executable.h"

namespace runsc::kernel {

void set_executable(ThreadGroup& group, fs::Path path, fs::ExecutionClaim claim) {
  fs::Path old = group.executable();
  group.set_executable(std::move(path));
  claim.keep();
  fs::end_execution_of(old);
}

void inherit_executable(ThreadGroup& group, const ThreadGroup& parent) {
  fs::Path path = parent.executable();
  fs::hold_execution_of(path);
  group.set_executable(std::move(path));
}

void drop_executable(ThreadGroup& group) {
  fs::Path old = group.executable();
  group.set_executable({});
  fs::end_execution_of(old);
}

}  // namespace runsc::kernel
