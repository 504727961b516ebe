// The names of the system (uname(2)).
#pragma once

#include <string_view>

#include "kernel/base/result.h"

namespace runsc::kernel {

inline constexpr size_t kUtsMax = 64;  // bytes of a name, without NUL
inline constexpr std::string_view kSysName = "Linux", kRelease = "6.1.0-runsc", kMachine = "x86_64",
                                  kVersion = "#1 SMP PREEMPT_DYNAMIC runsc";

struct UtsName {
  char text[kUtsMax + 1];
  std::string_view view() const { return text; }
};
UtsName hostname();
UtsName domainname();
// EINVAL: longer than kUtsMax.
Result<void> set_hostname(std::string_view name);
Result<void> set_domainname(std::string_view name);

}  // namespace runsc::kernel
