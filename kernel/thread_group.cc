#include "kernel/thread_group.h"

#include "kernel/base/check.h"
#include "kernel/control/containers.h"
#include "kernel/core/core_dump.h"
#include "kernel/executable.h"
#include "kernel/pid.h"

namespace runsc::kernel {

ThreadGroup::ThreadGroup() : timers(*this) {}

ThreadGroup::~ThreadGroup() {
  DCHECK(!threads, "a process destroyed with threads");
  drop_executable(*this);
}

PidNamespace& ThreadGroup::pid_namespace() const {
  return own_namespace ? *own_namespace : first_pid_namespace();
}

Result<Ref<ThreadGroup>> ThreadGroup::create() {
  Ref<ThreadGroup> g = make_ref<ThreadGroup>();
  if (!g) return Errno::nomem;
  return g;
}

Limits::Limits() {
  constexpr uint64_t kMiB = 1 << 20;
  for (unsigned i = 0; i < kResources; ++i) set(i, {kNoLimit, kNoLimit});
  auto put = [this](Resource r, uint64_t soft, uint64_t hard) {
    set(static_cast<unsigned>(r), {soft, hard});
  };
  put(Resource::stack, 8 * kMiB, kNoLimit);
  put(Resource::core, 0, kNoLimit);
  put(Resource::nofile, 1024, 4096);
  put(Resource::memlock, 8 * kMiB, 8 * kMiB);
  put(Resource::sigpending, 31000, 31000);
  put(Resource::nproc, 31000, 31000);
  put(Resource::msgqueue, 819200, 819200);
  put(Resource::nice, 0, 0);
  put(Resource::rtprio, 0, 0);
}

}  // namespace runsc::kernel
