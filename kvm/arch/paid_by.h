// PaidBy: what this CPU takes while it lives is paid for by another account than that of its task.
#pragma once

#include <utility>

#include "kvm/arch/seam.h"

namespace runsc {

// No context switch while it lives.
class PaidBy {
 public:
  explicit PaidBy(AccountId id) : before_(std::exchange(arch::cpu_local().account, id)) {}
  ~PaidBy() { arch::cpu_local().account = before_; }
  PaidBy(const PaidBy&) = delete;
  PaidBy& operator=(const PaidBy&) = delete;

 private:
  const AccountId before_;
};

}  // namespace runsc
