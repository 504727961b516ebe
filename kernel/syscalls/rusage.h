// struct rusage (getrusage(2)).
#pragma once

#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

struct TimeVal {
  int64_t sec, usec;
};
struct RUsage {
  TimeVal utime, stime;
  int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals,
      nvcsw, nivcsw;
};
static_assert(sizeof(RUsage) == 144);

RUsage to_rusage(const ResourceUsage& usage);
Result<void> copy_out_usage(Task& task, uint64_t address, const ResourceUsage& usage);
// All threads, dead and alive.
ResourceUsage usage_of_group(ThreadGroup& group);

}  // namespace runsc::kernel
