#include "pools.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "calls.h"
#include "memory.h"

enum { kPidMax = 0x3fffffff, kFdLimit = 200 };

static atomic_long g_pools[kKinds][kPlaces];

void clear_pools(void) {
  for (int kind = 0; kind < kKinds; kind++) {
    for (int i = 0; i < kPlaces; i++) atomic_store(&g_pools[kind][i], -1);
  }
}

static void give_back(enum Kind kind, long value) {
  if (value < 0 && kind != kShmAt && kind != kRegion) return;
  switch (kind) {
    case kShm:
      raw3(SYS_shmctl, value, 0, 0);
      return;
    case kSem:
      raw3(SYS_semctl, value, 0, 0);
      return;
    case kMsg:
      raw3(SYS_msgctl, value, 0, 0);
      return;
    case kShmAt:
      raw3(SYS_shmdt, value, 0, 0);
      return;
    case kAio:
      raw3(SYS_io_destroy, value, 0, 0);
      return;
    case kTimer:
      raw3(SYS_timer_delete, value, 0, 0);
      return;
    case kRegion:
      if (value != -1) raw3(SYS_munmap, value, 32 * 4096, 0);
      return;
    default:
      if (kind < kFdKinds && value > 2) raw3(SYS_close, value, 0, 0);
  }
}

void keep(struct Call* c, enum Kind kind, long value) {
  uint64_t place = below(c, kPlaces);
  long old = atomic_exchange(&g_pools[kind][place], value);
  if (old != value) give_back(kind, old);
  // Descriptors that nothing kept: received ones, those of calls that failed half way.
  if (kind < kFdKinds && value > kFdLimit) raw3(SYS_close_range, kFdLimit - 60, 0x7fffffff, 0);
}

void keep_first(enum Kind kind, long value) {
  for (int i = 0; i < kPlaces; i++) {
    long none = -1;
    if (atomic_compare_exchange_strong(&g_pools[kind][i], &none, value)) return;
  }
}

long taken(struct Call* c, enum Kind kind, long otherwise) {
  long value = atomic_load(&g_pools[kind][below(c, kPlaces)]);
  return value == -1 ? otherwise : value;
}

static long fd_at_all(struct Call* c) {
  enum Kind kind = (enum Kind)(1 + below(c, kFdKinds - 1));
  return taken(c, kind, (long)below(c, 64));
}

long fd_of(struct Call* c, enum Kind kind) {
  uint64_t luck = below(c, 100);
  long any = fd_at_all(c), odd = odd_number(c), exact = -1;
  for (int i = 0; i < 4; i++) {
    long value = taken(c, kind, -1);
    if (exact == -1) exact = value;
  }
  if (luck < 88 && exact != -1) return exact;
  if (luck < 97) return any;
  return luck < 99 ? (long)below(c, 256) : odd;
}

long fd_any(struct Call* c) { return fd_of(c, (enum Kind)(1 + below(c, kFdKinds - 1))); }

static long fd_among(struct Call* c, const enum Kind* kinds, size_t count) {
  return fd_of(c, kinds[below(c, count)]);
}

#define FD_OF(name, kind) \
  long name(struct Call* c) { return fd_of(c, kind); }
FD_OF(fd_file, kFile)
FD_OF(fd_dir, kDir)
FD_OF(fd_pipe, kPipe)
FD_OF(fd_special, kSpecial)
FD_OF(fd_unix, kUnix)
FD_OF(fd_listener, kListener)
FD_OF(fd_inet, kInet)
FD_OF(fd_netlink, kNetlink)
FD_OF(fd_packet, kPacket)
FD_OF(fd_epoll, kEpoll)
FD_OF(fd_eventfd, kEventfd)
FD_OF(fd_timerfd, kTimerfd)
FD_OF(fd_signalfd, kSignalfd)
FD_OF(fd_inotify, kInotify)
FD_OF(fd_memfd, kMemfd)
FD_OF(fd_pidfd, kPidfd)
FD_OF(fd_queue, kQueue)
FD_OF(fd_terminal, kTerminal)
FD_OF(fd_namespace, kNamespace)
FD_OF(fd_mount, kMountFd)
FD_OF(fd_context, kFsContext)

long fd_at(struct Call* c) {
  long dir = fd_dir(c), path = fd_of(c, kPathFd);
  uint64_t luck = below(c, 10);
  return luck < 6 ? AT_FDCWD : luck < 9 ? dir : path;
}

long fd_socket(struct Call* c) {
  static const enum Kind kKindsOf[] = {kUnix, kUnix, kInet, kInet, kInet, kNetlink, kPacket};
  return fd_among(c, kKindsOf, COUNT(kKindsOf));
}

// One that bytes can be read from or written to at places.
long fd_data(struct Call* c) {
  static const enum Kind kKindsOf[] = {kFile, kFile, kFile, kMemfd, kMemfd, kSpecial};
  return fd_among(c, kKindsOf, COUNT(kKindsOf));
}

long fd_polled(struct Call* c) {
  static const enum Kind kKindsOf[] = {kPipe,    kUnix,     kInet,    kEpoll, kEventfd, kTimerfd,
                                       kNetlink, kSignalfd, kInotify, kPidfd, kQueue,   kTerminal};
  return fd_among(c, kKindsOf, COUNT(kKindsOf));
}

// Never a process that is not ours.
long pid_any(struct Call* c) {
  long other = taken(c, kPid, 0);
  switch (below(c, 8)) {
    case 0:
    case 1:
      return 0;
    case 2:
      return raw3(SYS_getpid, 0, 0, 0);
    case 3:
      return raw3(SYS_gettid, 0, 0, 0);
    case 4:
      return chance(c, 50) ? kPidMax : -kPidMax;
    default:
      return other;
  }
}

// A child, whose death is no harm.
long pid_other(struct Call* c) {
  long other = taken(c, kPid, kPidMax);
  for (int i = 0; i < 3; i++) other = taken(c, kPid, other);
  return chance(c, 97) ? other : kPidMax;
}

long shm_id(struct Call* c) { return taken(c, kShm, (long)below(c, 4)); }
long shm_at(struct Call* c) { return taken(c, kShmAt, wild_pointer(c)); }
long sem_id(struct Call* c) { return taken(c, kSem, (long)below(c, 4)); }
long msg_id(struct Call* c) { return taken(c, kMsg, (long)below(c, 4)); }
long aio_id(struct Call* c) { return taken(c, kAio, wild_pointer(c)); }
long aio_block(struct Call* c) { return taken(c, kAioBlock, wild_pointer(c)); }
long timer_id(struct Call* c) { return taken(c, kTimer, (long)below(c, 8)); }
long watch_id(struct Call* c) { return taken(c, kWatch, (long)below(c, 8)); }

void keep_pair(struct Call* c, enum Kind kind, long at) {
  int pair[2];
  if (!peek(pair, at, sizeof(pair))) return;
  for (int i = 0; i < 2; i++) {
    if (pair[i] > 2 && pair[i] < 4096) keep(c, kind, pair[i]);
  }
}
