// Namespace: what the namespaces of every kind have in common (namespaces(7)). Tasks refer to one of each
// kind, and so may open files; with the last of them it goes, and what is in it.
#pragma once

#include "kernel/base/ref.h"

namespace runsc {

// The CLONE_NEW* of clone(2).
enum class NamespaceKind : uint32_t {
  mount = 0x20000,
  uts = 0x4000000,
  ipc = 0x8000000,
  net = 0x40000000,
};

class Namespace : public RefCounted<Namespace> {
 public:
  virtual ~Namespace() = default;
  NamespaceKind kind() const { return kind_; }
  // What stat(2) tells of /proc/PID/ns/*: no two that live together have the same.
  uint32_t inode_number() const { return inode_number_; }

 protected:
  explicit Namespace(NamespaceKind kind);

 private:
  const NamespaceKind kind_;
  const uint32_t inode_number_;
};

}  // namespace runsc
