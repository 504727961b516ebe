// What calls made and other calls use: places by kind. Tasks of a worker share them without a lock: a place
// holds a number that was good once.
#pragma once

#include "draw.h"

enum Kind {
  kNothing,
  // Descriptors.
  kFile,
  kDir,
  kPathFd,
  kPipe,
  kSpecial,  // devices and files of proc
  kUnix,
  kListener,
  kInet,
  kNetlink,
  kPacket,
  kEpoll,
  kEventfd,
  kTimerfd,
  kSignalfd,
  kInotify,
  kMemfd,
  kPidfd,
  kQueue,
  kTerminal,
  kNamespace,
  kMountFd,
  kFsContext,
  kFdKinds,
  // Numbers of other sorts.
  kPid = kFdKinds,
  kShm,
  kShmAt,
  kSem,
  kMsg,
  kAio,
  kAioBlock,
  kTimer,
  kWatch,
  kRegion,
  kKinds
};

enum { kPlaces = 8, kUser = 54321 };

void clear_pools(void);

// Puts a number into a place of its kind; what stood there is given back to the system.
void keep(struct Call* c, enum Kind kind, long value);

// Puts it into the next free place, without giving anything back.
void keep_first(enum Kind kind, long value);

// A number of this kind; `otherwise` if the place drawn is empty.
long taken(struct Call* c, enum Kind kind, long otherwise);

// Mostly a descriptor of this kind, else of any, else none.
long fd_of(struct Call* c, enum Kind kind);

Drawer fd_any, fd_file, fd_dir, fd_at, fd_pipe, fd_special, fd_socket, fd_unix, fd_listener, fd_inet,
    fd_netlink, fd_packet, fd_epoll, fd_eventfd, fd_timerfd, fd_signalfd, fd_inotify, fd_memfd, fd_pidfd,
    fd_queue, fd_terminal, fd_namespace, fd_mount, fd_context, fd_data, fd_polled;
Drawer pid_any, pid_other, shm_id, shm_at, sem_id, msg_id, aio_id, aio_block, timer_id, watch_id;

// Descriptors that were written into memory by a call: a pair at `at`.
void keep_pair(struct Call* c, enum Kind kind, long at);
