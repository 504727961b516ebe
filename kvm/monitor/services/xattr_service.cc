// Extended attributes. Their system calls work on descriptors that were opened, so only regular files and
// directories have them here; user attributes exist on nothing else anyway (xattr(7)).
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstring>

#include "kvm/monitor/services/path_ops.h"
#include "kvm/monitor/services/services.h"

namespace runsc::monitor {
namespace {

constexpr std::size_t kListSize = 64 << 10;

Result<UniqueFd> open_for_xattr(const FileTable& files, const ValidPath& path) {
  ParentDirectory parent = TRY(ParentDirectory::open(files, path));
  const char* name = path.name();
  struct stat st = TRY(stat_entry(parent.fd(), name));
  if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) return Errno::opnotsupp;
  return open_entry(parent.fd(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

}  // namespace

Result<void> serve_get_xattr(Services& s, const hc::XattrRequest& request, hc::XattrReply& reply) {
  ValidXattr valid = TRY(parse_xattr(request));
  UniqueFd fd = TRY(open_for_xattr(s.files, valid.path));
  ssize_t n = ::fgetxattr(fd.get(), valid.name.c_str(), reply.value, sizeof reply.value);
  if (n < 0) return host_errno(errno);
  reply.size = static_cast<std::uint32_t>(n);
  return {};
}

Result<void> serve_set_xattr(Services& s, const hc::XattrRequest& request) {
  ValidXattr valid = TRY(parse_xattr(request));
  UniqueFd fd = TRY(open_for_xattr(s.files, valid.path));
  ParentDirectory parent = TRY(ParentDirectory::open(s.files, valid.path));
  OwnChange own(s.watches, IN_ATTRIB);
  own.entry(parent.fd(), valid.path.name());
  own.begin();
  int result = valid.remove ? ::fremovexattr(fd.get(), valid.name.c_str())
                            : ::fsetxattr(fd.get(), valid.name.c_str(), valid.value.data(),
                                          valid.value.size(), valid.flags);
  if (result < 0) return host_errno(errno);
  return {};
}

Result<void> serve_list_xattr(Services& s, const hc::PathArg& request, hc::XattrReply& reply) {
  ValidPath path = TRY(parse_path(request));
  UniqueFd fd = TRY(open_for_xattr(s.files, path));
  auto names = std::make_unique<char[]>(kListSize);
  ssize_t n = ::flistxattr(fd.get(), names.get(), kListSize);
  if (n < 0) return host_errno(errno);
  // Of the namespaces only "user." can be read, so only it is listed.
  for (const char* name = names.get(); name < names.get() + n; name += std::strlen(name) + 1) {
    std::size_t size = std::strlen(name) + 1;
    if (std::strncmp(name, "user.", 5) != 0) continue;
    if (reply.size + size > sizeof reply.value) return Errno::range;
    std::memcpy(reply.value + reply.size, name, size);
    reply.size += static_cast<std::uint32_t>(size);
  }
  return {};
}

}  // namespace runsc::monitor
