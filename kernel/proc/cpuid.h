// /proc/cpuinfo out of what CPUID shows to applications (SDM volume 2, CPUID).
#pragma once

#include "kernel/base/format.h"
#include "kernel/base/result.h"

namespace runsc::kernel::proc {

Result<void> show_cpuinfo(TextSink& out);

}  // namespace runsc::kernel::proc
