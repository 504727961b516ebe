// The names of the system (uname(2)), and the namespaces in which they can be set (uts_namespaces(7)).
#pragma once

#include <string_view>

#include "kernel/base/lock.h"
#include "kernel/base/namespace.h"
#include "kernel/base/result.h"

namespace runsc::kernel {

inline constexpr size_t kUtsMax = 64;  // bytes of a name, without NUL
inline constexpr std::string_view kSysName = "Linux", kRelease = "6.1.0-runsc", kMachine = "x86_64",
                                  kVersion = "#1 SMP PREEMPT_DYNAMIC runsc";

struct UtsName {
  char text[kUtsMax + 1];
  std::string_view view() const { return text; }
};

class UtsNamespace final : public Namespace {
 public:
  // ENOMEM.
  static Result<Ref<UtsNamespace>> create();
  Result<Ref<UtsNamespace>> clone() const;

  UtsName hostname() const;
  UtsName domainname() const;
  // EINVAL: longer than kUtsMax.
  Result<void> set_hostname(std::string_view name);
  Result<void> set_domainname(std::string_view name);

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  UtsNamespace() : Namespace(NamespaceKind::uts) {}
  mutable SpinLock lock_{LockRank::leaf};
  UtsName hostname_ GUARDED_BY(lock_) = {"localhost"};
  UtsName domainname_ GUARDED_BY(lock_) = {"(none)"};
};

}  // namespace runsc::kernel
