// Counters that KVM keeps of a vCPU (KVM_GET_STATS_FD, Linux 5.14).
#pragma once

#include <cstdint>
#include <optional>

#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

class VcpuStats {
 public:
  // Nothing where KVM has no such counters.
  static std::optional<VcpuStats> open(int vcpu_fd);

  // Exits of the guest, whether they reached this process or KVM served them itself.
  std::uint64_t exits() const;

 private:
  VcpuStats(UniqueFd fd, std::uint64_t exits_at) : fd_(std::move(fd)), exits_at_(exits_at) {}

  UniqueFd fd_;
  std::uint64_t exits_at_;  // where the counter stands in the file
};

}  // namespace runsc::monitor
