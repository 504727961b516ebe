#include "fs/user_namespace.h"

namespace runsc::fs {

Credentials::Credentials() = default;
Credentials::~Credentials() = default;

Result<Ref<Credentials>> Credentials::clone() const {
  Ref<Credentials> c = make_ref<Credentials>();
  if (!c) return Errno::nomem;
  TRY(c->groups.reserve(groups.size()));
  for (uint32_t g : groups) TRY(c->groups.push_back(g));
  c->uid = uid, c->gid = gid, c->euid = euid, c->egid = egid;
  c->suid = suid, c->sgid = sgid, c->fsuid = fsuid, c->fsgid = fsgid;
  c->effective = effective, c->permitted = permitted, c->inheritable = inheritable;
  c->bounding = bounding, c->ambient = ambient;
  c->securebits = securebits;
  c->no_new_privs = no_new_privs;
  c->user_ns = user_ns;
  return c;
}

}  // namespace runsc::fs
