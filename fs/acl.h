// POSIX access control lists (acl(5)), kept as the extended attributes that setfacl(1) writes. Kept by the
// file systems of memory: tmpfs and the upper layer of overlay.
#pragma once

#include "fs/namespace.h"

namespace runsc::fs {

inline constexpr std::string_view kAclAccess = "system.posix_acl_access",
                                  kAclDefault = "system.posix_acl_default";
constexpr bool is_acl_name(std::string_view name) { return name == kAclAccess || name == kAclDefault; }

// Whether the inode can have lists at all.
bool keeps_acls(const Inode& inode);
// setxattr(2) and, with an empty value, removexattr(2) of a list by `creds`: EOPNOTSUPP, EINVAL, EACCES (a
// default list of no directory), EPERM. What the mode can say alone becomes the mode.
Result<void> set_acl(const Credentials& creds, Inode& inode, std::string_view name,
                     std::span<const std::byte> value);
// chmod(2) reached an inode with lists: the access list follows the mode.
Result<void> acl_follow_mode(Inode& inode, uint32_t mode);

// The mode of a new node in `dir`: as its default list says, or without what `umask` holds.
Result<uint32_t> acl_new_mode(Inode& dir, const Attr& dir_attr, uint32_t mode, uint32_t umask);
// Gives a node that was just made in `dir` the lists it inherits. Nobody else sees it yet.
Result<void> acl_inherit(Inode& dir, Inode& fresh);

// path_resolution(7) for an inode that was reached already. EACCES.
Result<void> check_access(const Credentials& creds, Inode& inode, const Attr& attr, uint32_t access);

}  // namespace runsc::fs
