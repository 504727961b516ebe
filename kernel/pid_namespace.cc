#include "kernel/pid_namespace.h"

namespace runsc::kernel {

Result<Ref<PidNamespace>> PidNamespace::create(PidNamespace* parent, Ref<Namespace> owner) {
  if (parent && parent->level_ >= kMaxLevel) return Errno::nospc;
  Ref<PidNamespace> ns = make_ref<PidNamespace>(parent);
  if (!ns) return Errno::nomem;
  ns->set_owner(std::move(owner));
  return ns;
}

bool PidNamespace::contains(const PidNamespace& other) const {
  const PidNamespace* at = &other;
  while (at->level_ > level_) at = at->parent_.get();
  return at == this;
}

Result<Ref<NestedPid>> NestedPid::create(Ref<PidNamespace> ns) {
  Ref<NestedPid> pid = make_ref<NestedPid>(ns);
  if (!pid) return Errno::nomem;
  const PidNamespace* at = ns.get();
  TRY(pid->slots_.reserve(at->level() + 1));
  for (uint32_t i = 0; i <= ns->level(); ++i) TRY(pid->slots_.push_back({}));
  for (; at; at = at->parent()) {
    pid->slots_[at->level()].ns = at;
    pid->slots_[at->level()].pid = pid.get();
  }
  return pid;
}

}  // namespace runsc::kernel
