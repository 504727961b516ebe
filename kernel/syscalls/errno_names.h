// Names of error numbers, for logs.
#pragma once

#include <string_view>

#include "kernel/base/errno.h"

namespace runsc::kernel {

struct ErrnoName {
  Errno number;
  std::string_view name;
};
inline constexpr ErrnoName kErrnoNames[] = {
    {Errno::perm, "EPERM"},
    {Errno::noent, "ENOENT"},
    {Errno::srch, "ESRCH"},
    {Errno::intr, "EINTR"},
    {Errno::io, "EIO"},
    {Errno::nxio, "ENXIO"},
    {Errno::toobig, "E2BIG"},
    {Errno::noexec, "ENOEXEC"},
    {Errno::badf, "EBADF"},
    {Errno::child, "ECHILD"},
    {Errno::again, "EAGAIN"},
    {Errno::nomem, "ENOMEM"},
    {Errno::acces, "EACCES"},
    {Errno::fault, "EFAULT"},
    {Errno::notblk, "ENOTBLK"},
    {Errno::busy, "EBUSY"},
    {Errno::exist, "EEXIST"},
    {Errno::xdev, "EXDEV"},
    {Errno::nodev, "ENODEV"},
    {Errno::notdir, "ENOTDIR"},
    {Errno::isdir, "EISDIR"},
    {Errno::inval, "EINVAL"},
    {Errno::nfile, "ENFILE"},
    {Errno::mfile, "EMFILE"},
    {Errno::notty, "ENOTTY"},
    {Errno::txtbsy, "ETXTBSY"},
    {Errno::fbig, "EFBIG"},
    {Errno::nospc, "ENOSPC"},
    {Errno::spipe, "ESPIPE"},
    {Errno::rofs, "EROFS"},
    {Errno::mlink, "EMLINK"},
    {Errno::pipe, "EPIPE"},
    {Errno::dom, "EDOM"},
    {Errno::range, "ERANGE"},
    {Errno::deadlk, "EDEADLK"},
    {Errno::nametoolong, "ENAMETOOLONG"},
    {Errno::nolck, "ENOLCK"},
    {Errno::nosys, "ENOSYS"},
    {Errno::notempty, "ENOTEMPTY"},
    {Errno::loop, "ELOOP"},
    {Errno::nomsg, "ENOMSG"},
    {Errno::idrm, "EIDRM"},
    {Errno::nostr, "ENOSTR"},
    {Errno::nodata, "ENODATA"},
    {Errno::time, "ETIME"},
    {Errno::nosr, "ENOSR"},
    {Errno::nolink, "ENOLINK"},
    {Errno::proto, "EPROTO"},
    {Errno::badmsg, "EBADMSG"},
    {Errno::overflow, "EOVERFLOW"},
    {Errno::badfd, "EBADFD"},
    {Errno::libbad, "ELIBBAD"},
    {Errno::ilseq, "EILSEQ"},
    {Errno::restart, "ERESTART"},
    {Errno::users, "EUSERS"},
    {Errno::notsock, "ENOTSOCK"},
    {Errno::destaddrreq, "EDESTADDRREQ"},
    {Errno::msgsize, "EMSGSIZE"},
    {Errno::prototype, "EPROTOTYPE"},
    {Errno::noprotoopt, "ENOPROTOOPT"},
    {Errno::protonosupport, "EPROTONOSUPPORT"},
    {Errno::socktnosupport, "ESOCKTNOSUPPORT"},
    {Errno::opnotsupp, "EOPNOTSUPP"},
    {Errno::pfnosupport, "EPFNOSUPPORT"},
    {Errno::afnosupport, "EAFNOSUPPORT"},
    {Errno::addrinuse, "EADDRINUSE"},
    {Errno::addrnotavail, "EADDRNOTAVAIL"},
    {Errno::netdown, "ENETDOWN"},
    {Errno::netunreach, "ENETUNREACH"},
    {Errno::netreset, "ENETRESET"},
    {Errno::connaborted, "ECONNABORTED"},
    {Errno::connreset, "ECONNRESET"},
    {Errno::nobufs, "ENOBUFS"},
    {Errno::isconn, "EISCONN"},
    {Errno::notconn, "ENOTCONN"},
    {Errno::shutdown, "ESHUTDOWN"},
    {Errno::toomanyrefs, "ETOOMANYREFS"},
    {Errno::timedout, "ETIMEDOUT"},
    {Errno::connrefused, "ECONNREFUSED"},
    {Errno::hostdown, "EHOSTDOWN"},
    {Errno::hostunreach, "EHOSTUNREACH"},
    {Errno::already, "EALREADY"},
    {Errno::inprogress, "EINPROGRESS"},
    {Errno::stale, "ESTALE"},
    {Errno::dquot, "EDQUOT"},
    {Errno::nomedium, "ENOMEDIUM"},
    {Errno::canceled, "ECANCELED"},
    {Errno::nokey, "ENOKEY"},
    {Errno::ownerdead, "EOWNERDEAD"},
    {Errno::notrecoverable, "ENOTRECOVERABLE"},
    {Errno::restartsys, "ERESTARTSYS"},
    {Errno::restartnointr, "ERESTARTNOINTR"},
    {Errno::restartnohand, "ERESTARTNOHAND"},
    {Errno::restart_restartblock, "ERESTART_RESTARTBLOCK"},
};

constexpr std::string_view errno_name(Errno e) {
  for (const ErrnoName& row : kErrnoNames)
    if (row.number == e) return row.name;
  return "E?";
}

}  // namespace runsc::kernel
