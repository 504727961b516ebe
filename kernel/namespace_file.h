// A descriptor of a namespace (namespaces(7), ioctl_ns(2)).
#pragma once

#include "fs/file.h"
#include "kernel/base/namespace.h"

namespace runsc::kernel {

class NamespaceFile final : public fs::File {
 public:
  // `type`: the CLONE_NEW* of its kind.
  NamespaceFile(uint32_t flags, Ref<fs::Inode> inode, uint64_t type)
      : File(flags, std::move(inode)), type_(type) {}
  // ioctl_ns(2). NS_GET_PARENT: EPERM, as nothing is above the first namespaces, EINVAL for kinds without
  // parents. NS_GET_USERNS: EPERM for the user namespace itself. NS_GET_OWNER_UID: EINVAL for other kinds.
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) override;

 private:
  const uint64_t type_;
};

// The CLONE_NEW* of the namespace that a file was opened for; 0: it is no such file.
uint64_t namespace_type(const fs::File& file);
// That namespace; null: the first user namespace, or one of a kind of which there is one only.
Ref<Namespace> namespace_of(const fs::File& file);
Ref<Namespace> namespace_of(const fs::Inode& inode);

}  // namespace runsc::kernel
