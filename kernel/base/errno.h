// The error numbers of Linux (errno(3); include/uapi/asm-generic/errno*.h), under names of our own because
// libc's macros leak into hosted builds.
#pragma once

#include <cstdint>

namespace runsc {

enum class Errno : int32_t {
  perm = 1, noent = 2, srch = 3, intr = 4, io = 5, nxio = 6, toobig = 7, noexec = 8, badf = 9, child = 10,
  again = 11, nomem = 12, acces = 13, fault = 14, notblk = 15, busy = 16, exist = 17, xdev = 18, nodev = 19,
  notdir = 20, isdir = 21, inval = 22, nfile = 23, mfile = 24, notty = 25, txtbsy = 26, fbig = 27, nospc = 28,
  spipe = 29, rofs = 30, mlink = 31, pipe = 32, dom = 33, range = 34, deadlk = 35, nametoolong = 36,
  nolck = 37, nosys = 38, notempty = 39, loop = 40, nomsg = 42, idrm = 43, nostr = 60, nodata = 61, time = 62,
  nosr = 63, nolink = 67, proto = 71, badmsg = 74, overflow = 75, badfd = 77, libbad = 80, ilseq = 84,
  restart = 85, users = 87, notsock = 88, destaddrreq = 89, msgsize = 90, prototype = 91, noprotoopt = 92,
  protonosupport = 93, socktnosupport = 94, opnotsupp = 95, pfnosupport = 96, afnosupport = 97, addrinuse = 98,
  addrnotavail = 99, netdown = 100, netunreach = 101, netreset = 102, connaborted = 103, connreset = 104,
  nobufs = 105, isconn = 106, notconn = 107, shutdown = 108, timedout = 110, connrefused = 111, hostdown = 112,
  hostunreach = 113, already = 114, inprogress = 115, stale = 116, dquot = 122, nomedium = 123, canceled = 125,
  nokey = 126, ownerdead = 130, notrecoverable = 131,

  // Never leave the kernel: what an interrupted system call becomes is decided where signals are delivered
  // (signal(7), "Interruption of system calls and library functions by signal handlers").
  restartsys = 512,            // restart if SA_RESTART, else EINTR
  restartnointr = 513,         // always restart
  restartnohand = 514,         // EINTR if a handler runs, else restart
  restart_restartblock = 516,  // restart through restart_syscall(2) with the remaining time
};

}  // namespace runsc
