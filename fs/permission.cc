#include "fs/acl.h"
#include "fs/mount.h"
#include "fs/user_namespace.h"

namespace runsc::fs {

// path_resolution(7), "Permissions"; capabilities(7): CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH.
Result<void> check_access(const Credentials& creds, const Attr& attr, uint32_t access) {
  uint32_t granted;
  if (creds.fsuid == attr.uid)
    granted = attr.mode >> 6;
  else if (creds.in_group(attr.gid))
    granted = attr.mode >> 3;
  else
    granted = attr.mode;
  if ((access & ~granted & 7) == 0) return {};
  return check_capabilities(creds, attr, access);
}

Result<void> check_capabilities(const Credentials& creds, const Attr& attr, uint32_t access) {
  bool dir = (attr.mode & kTypeMask) == kDirectory;
  const auto may = [&](Cap c) { return is_capable_of(creds, attr.uid, attr.gid, c); };
  if (may(Cap::dac_override) && (dir || !(access & kExec) || (attr.mode & 0111))) return {};
  if (may(Cap::dac_read_search) && (dir ? !(access & kWrite) : access == kRead)) return {};
  return Errno::acces;
}

Result<void> check_access(const Credentials& creds, const Path& path, uint32_t access) {
  Inode& inode = inode_of(path);
  uint32_t type = inode.type();
  if ((access & kWrite) && (mount_flags(path) & kMsRdonly) &&
      (type == kRegular || type == kDirectory || type == kSymlink))
    return Errno::rofs;
  if (inode.is_dir() &&
      (creds.has(Cap::dac_override) || (!(access & kWrite) && creds.has(Cap::dac_read_search))))
    return {};
  Attr attr = TRY(inode.get_attr());
  TRY(check_access(creds, inode, attr, access));
  if ((access & kExec) && type == kRegular && (mount_flags(path) & kMsNoexec)) return Errno::acces;
  return {};
}

}  // namespace runsc::fs
