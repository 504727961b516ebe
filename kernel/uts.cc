#include "kernel/uts.h"

namespace runsc::kernel {

namespace {

// EINVAL: longer than kUtsMax.
Result<UtsName> checked(std::string_view name) {
  if (name.size() > kUtsMax) return Errno::inval;
  UtsName fresh{};
  __builtin_memcpy(fresh.text, name.data(), name.size());
  return fresh;
}

}  // namespace

Result<Ref<UtsNamespace>> UtsNamespace::create() {
  Ref<UtsNamespace> uts = make_ref<UtsNamespace>();
  if (!uts) return Errno::nomem;
  return uts;
}

Result<Ref<UtsNamespace>> UtsNamespace::clone() const {
  Ref<UtsNamespace> copy = TRY(create());
  TRY(copy->set_hostname(hostname().view()));
  TRY(copy->set_domainname(domainname().view()));
  return copy;
}

UtsName UtsNamespace::hostname() const {
  LockGuard guard(lock_);
  return hostname_;
}

UtsName UtsNamespace::domainname() const {
  LockGuard guard(lock_);
  return domainname_;
}

Result<void> UtsNamespace::set_hostname(std::string_view name) {
  UtsName fresh = TRY(checked(name));
  LockGuard guard(lock_);
  hostname_ = fresh;
  return {};
}

Result<void> UtsNamespace::set_domainname(std::string_view name) {
  UtsName fresh = TRY(checked(name));
  LockGuard guard(lock_);
  domainname_ = fresh;
  return {};
}

}  // namespace runsc::kernel
