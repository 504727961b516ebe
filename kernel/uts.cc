#include "kernel/uts.h"

#include "kernel/base/lock.h"

namespace runsc::kernel {

namespace {

SpinLock g_lock{LockRank::leaf};
UtsName g_hostname GUARDED_BY(g_lock) = {"localhost"};
UtsName g_domainname GUARDED_BY(g_lock) = {"(none)"};

// EINVAL: longer than kUtsMax.
Result<UtsName> checked(std::string_view name) {
  if (name.size() > kUtsMax) return Errno::inval;
  UtsName fresh{};
  __builtin_memcpy(fresh.text, name.data(), name.size());
  return fresh;
}

}  // namespace

UtsName hostname() {
  LockGuard guard(g_lock);
  return g_hostname;
}

UtsName domainname() {
  LockGuard guard(g_lock);
  return g_domainname;
}

Result<void> set_hostname(std::string_view name) {
  UtsName fresh = TRY(checked(name));
  LockGuard guard(g_lock);
  g_hostname = fresh;
  return {};
}

Result<void> set_domainname(std::string_view name) {
  UtsName fresh = TRY(checked(name));
  LockGuard guard(g_lock);
  g_domainname = fresh;
  return {};
}

}  // namespace runsc::kernel
