// What a file of a namespace is to those who mount it (namespaces(7)).
#pragma once

#include "fs/pseudo/pseudo.h"

namespace runsc::fs {

inline constexpr std::string_view kNsfs = "nsfs";

// All inodes of nsfs.
class NamespaceInode : public PseudoInode {
 public:
  // Null: the first user namespace, or one of a kind of which there is one only.
  virtual const Namespace* namespace_or_null() const = 0;

 protected:
  using PseudoInode::PseudoInode;
};

// The mount namespace whose file this is. Null: it is none.
inline const Namespace* mount_namespace_of(const Inode& inode) {
  if (inode.super().type_name() != kNsfs) return nullptr;
  const Namespace* ns = static_cast<const NamespaceInode&>(inode).namespace_or_null();
  return ns && ns->kind() == NamespaceKind::mount ? ns : nullptr;
}

}  // namespace runsc::fs
