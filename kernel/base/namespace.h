// Namespace: what the namespaces of every kind have in common (namespaces(7)). Tasks refer to one of each
// kind, and so may open files; with the last of them it goes, and what is in it.
#pragma once

#include "kernel/base/ref.h"

namespace runsc {

// The CLONE_NEW* of clone(2).
enum class NamespaceKind : uint32_t {
  time = 0x80,
  mount = 0x20000,
  cgroup = 0x2000000,
  uts = 0x4000000,
  ipc = 0x8000000,
  user = 0x10000000,
  pid = 0x20000000,
  net = 0x40000000,
};

class Namespace : public RefCounted<Namespace> {
 public:
  virtual ~Namespace() = default;
  NamespaceKind kind() const { return kind_; }
  // What stat(2) tells of /proc/PID/ns/*: no two that live together have the same.
  uint32_t inode_number() const { return inode_number_; }
  // The user namespace that it belongs to, of a user namespace its parent. Null: the first one.
  Namespace* owner() const { return owner_.get(); }
  // Before others know of it.
  void set_owner(Ref<Namespace> owner) { owner_ = std::move(owner); }

 protected:
  explicit Namespace(NamespaceKind kind);

 private:
  const NamespaceKind kind_;
  const uint32_t inode_number_;
  Ref<Namespace> owner_;
};

}  // namespace runsc
