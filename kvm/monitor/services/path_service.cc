// Hostcalls that name a file by its path beneath a donated directory.
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "kvm/monitor/services/path_ops.h"
#include "kvm/monitor/services/services.h"

namespace runsc::monitor {
namespace {

constexpr std::uint32_t kSetIdBits = 06000;
// Another process may create and remove the name while we look; it shall not keep us here.
constexpr int kCreateTries = 16;

// What a container may open on the host. Devices are kernel attack surface, and opening one already acts on
// it.
bool may_open(mode_t mode) { return S_ISREG(mode) || S_ISDIR(mode) || S_ISFIFO(mode); }

// chown(2) clears the set-id bits of a file, so they are put back after it.
Result<void> give_to_owner(int fd, std::uint32_t mode, std::uint32_t uid, std::uint32_t gid) {
  if (uid == ~0U && gid == ~0U) return {};
  if (::fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0) return host_errno(errno);
  if ((mode & kSetIdBits) != 0 && ::fchmod(fd, mode) < 0) return host_errno(errno);
  return {};
}

// At the other end of a FIFO may be anybody: only if whoever started the sandbox wants that.
Result<void> check_kind(const Services& s, mode_t mode) {
  if (S_ISLNK(mode)) return Errno::loop;
  if (!may_open(mode)) return Errno::nxio;
  if (S_ISFIFO(mode) && !s.bounds.host_fifo) return Errno::perm;
  return {};
}

Result<UniqueFd> open_existing(const Services& s, int directory, const char* name, int flags) {
  struct stat st = TRY(stat_entry(directory, name));
  if ((flags & O_PATH) == 0) TRY(check_kind(s, st.st_mode));
  if (*name == 0 && S_ISFIFO(st.st_mode) && (flags & O_PATH) == 0) return open_mounted(st, flags);
  return open_entry(directory, name, flags);
}

Result<UniqueFd> open_or_create(const Services& s, int directory, const ValidOpen& open) {
  const char* name = open.path.name();
  if (!open.create) return open_existing(s, directory, name, open.flags);
  for (int i = 0; i < kCreateTries; ++i) {
    auto made = open_beneath(directory, name, open.flags | O_CREAT | O_EXCL, open.mode);
    if (made) {
      auto owned = give_to_owner(made->get(), open.mode, open.uid, open.gid);
      if (!owned) {
        ::unlinkat(directory, name, 0);
        return owned.error();
      }
      return made;
    }
    if (made.error() != Errno::exist || open.exclusive) return made;
    auto found = open_existing(s, directory, name, open.flags);
    if (found || found.error() != Errno::noent) return found;
  }
  return Errno::again;
}

FileId id_of(int fd) {
  auto st = stat_entry(fd, "");
  return st ? FileId{st->st_dev, st->st_ino} : FileId{};
}

}  // namespace

Result<void> serve_stat_path(Services& s, const hc::PathArg& request, hc::HostStat& reply) {
  ValidPath path = TRY(parse_path(request));
  ParentDirectory parent = TRY(ParentDirectory::open(s.files, path));
  reply = to_host_stat(TRY(stat_entry(parent.fd(), path.name())));
  return {};
}

Result<void> serve_open_path(Services& s, const hc::OpenPath::Request& request, hc::OpenPath::Reply& reply) {
  ValidOpen open = TRY(parse_open(request));
  if (open.path.is_root() && open.create) return Errno::isdir;
  ParentDirectory parent = TRY(ParentDirectory::open(s.files, open.path));
  const bool truncates = (open.flags & O_TRUNC) != 0;
  OwnChange own(s.watches, (open.create ? IN_CREATE | IN_ATTRIB : 0) | (truncates ? IN_MODIFY : 0));
  own.entry(parent.fd(), open.path.name());
  own.begin();
  UniqueFd fd = TRY(open_or_create(s, parent.fd(), open));
  const struct stat st = TRY(stat_entry(fd.get(), ""));
  // Judged again on what was opened: the name may have changed hands in between.
  if ((open.flags & O_PATH) == 0) TRY(check_kind(s, st.st_mode));
  // A FIFO is opened O_NONBLOCK, as everything is.
  const bool streams = (open.flags & O_PATH) == 0 && S_ISFIFO(st.st_mode);
  reply.stat = to_host_stat(st);
  reply.handle = TRY(s.files.add(
      std::make_shared<HostFile>(std::move(fd), streams ? StreamKind::non_blocking : StreamKind::none,
                                 FoundFile{id_of(parent.fd()), {st.st_dev, st.st_ino}, open.path.name()})));
  return {};
}

Result<void> serve_read_link(Services& s, const hc::PathArg& request, hc::ReadLink::Reply& reply) {
  ValidPath path = TRY(parse_path(request));
  if (path.is_root()) return Errno::inval;
  ParentDirectory parent = TRY(ParentDirectory::open(s.files, path));
  ssize_t n = ::readlinkat(parent.fd(), path.name(), reply.target, sizeof reply.target);
  if (n < 0) return host_errno(errno);
  reply.length = static_cast<std::uint32_t>(n);
  return {};
}

Result<void> serve_set_attr(Services& s, const hc::SetAttr::Request& request, hc::HostStat& reply) {
  using A = hc::SetAttr;
  ValidSetAttr valid = TRY(parse_set_attr(request));
  ParentDirectory parent = TRY(ParentDirectory::open(s.files, valid.path));
  const char* name = valid.path.name();
  OwnChange own(s.watches, IN_ATTRIB);
  own.entry(parent.fd(), name);
  own.begin();
  const int flags = AT_SYMLINK_NOFOLLOW | (*name == 0 ? AT_EMPTY_PATH : 0);
  if ((valid.mask & (A::kUid | A::kGid)) != 0 &&
      ::fchownat(parent.fd(), name, valid.uid, valid.gid, flags) < 0) {
    return host_errno(errno);
  }
  if ((valid.mask & A::kMode) != 0) {
    // fchmodat(2) would follow a link that takes the name's place: change what is held open instead.
    struct stat st = TRY(stat_entry(parent.fd(), name));
    if (!may_open(st.st_mode)) return Errno::opnotsupp;
    UniqueFd fd = TRY(open_entry(parent.fd(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (::fchmod(fd.get(), valid.mode) < 0) return host_errno(errno);
  }
  if (valid.sets_times && ::utimensat(parent.fd(), name, valid.times, flags) < 0) return host_errno(errno);
  reply = to_host_stat(TRY(stat_entry(parent.fd(), name)));
  return {};
}

Result<void> serve_make_node(Services& s, const hc::MakeNode::Request& request, hc::HostStat& reply) {
  ValidMakeNode node = TRY(parse_make_node(request));
  ParentDirectory parent = TRY(ParentDirectory::open(s.files, node.path));
  const char* name = node.path.name();
  OwnChange own(s.watches, IN_CREATE | IN_ATTRIB);
  own.entry(parent.fd(), name);
  own.begin();
  int result;
  if (node.type == S_IFDIR) {
    result = ::mkdirat(parent.fd(), name, node.permissions);
  } else if (node.type == S_IFLNK) {
    result = ::symlinkat(node.target.c_str(), parent.fd(), name);
  } else {
    result = ::mknodat(parent.fd(), name, node.type | node.permissions, 0);
  }
  if (result < 0) return host_errno(errno);
  if ((node.uid != ~0U || node.gid != ~0U) &&
      ::fchownat(parent.fd(), name, node.uid, node.gid, AT_SYMLINK_NOFOLLOW) < 0) {
    int code = errno;
    ::unlinkat(parent.fd(), name, node.type == S_IFDIR ? AT_REMOVEDIR : 0);
    return host_errno(code);
  }
  reply = to_host_stat(TRY(stat_entry(parent.fd(), name)));
  return {};
}

Result<void> serve_make_link(Services& s, const hc::TwoPaths& request, hc::HostStat& reply) {
  ValidTwoPaths paths = TRY(parse_link(request));
  ParentDirectory from = TRY(ParentDirectory::open(s.files, paths.from));
  ParentDirectory to = TRY(ParentDirectory::open(s.files, paths.to));
  OwnChange own(s.watches, IN_CREATE | IN_ATTRIB);
  own.entry(from.fd(), paths.from.name());
  own.entry(to.fd(), paths.to.name());
  own.begin();
  // Without AT_SYMLINK_FOLLOW a link is linked itself.
  if (::linkat(from.fd(), paths.from.name(), to.fd(), paths.to.name(), 0) < 0) return host_errno(errno);
  reply = to_host_stat(TRY(stat_entry(to.fd(), paths.to.name())));
  return {};
}

Result<void> serve_unlink(Services& s, const hc::Unlink::Request& request) {
  ValidPath path = TRY(parse_path(request.path));
  if (path.is_root()) return Errno::busy;
  ParentDirectory parent = TRY(ParentDirectory::open(s.files, path));
  OwnChange own(s.watches, IN_DELETE | IN_DELETE_SELF | IN_ATTRIB);
  own.entry(parent.fd(), path.name());
  own.begin();
  if (::unlinkat(parent.fd(), path.name(), request.directory != 0 ? AT_REMOVEDIR : 0) < 0)
    return host_errno(errno);
  return {};
}

Result<void> serve_rename(Services& s, const hc::TwoPaths& request) {
  ValidTwoPaths paths = TRY(parse_rename(request));
  ParentDirectory from = TRY(ParentDirectory::open(s.files, paths.from));
  ParentDirectory to = TRY(ParentDirectory::open(s.files, paths.to));
  OwnChange own(s.watches, IN_MOVE | IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB);
  own.entry(from.fd(), paths.from.name());
  own.entry(to.fd(), paths.to.name());
  own.begin();
  // The system call itself: without flags libc makes another one of it, which the jail does not know.
  if (::syscall(SYS_renameat2, from.fd(), paths.from.name(), to.fd(), paths.to.name(), paths.flags) < 0)
    return host_errno(errno);
  if (s.watches.active()) {
    if (auto st = stat_entry(to.fd(), paths.to.name()))
      s.files.renamed({id_of(to.fd()), {st->st_dev, st->st_ino}, paths.to.name()});
  }
  return {};
}

}  // namespace runsc::monitor
