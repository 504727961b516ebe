// The order of locks: a lock may be taken only while every lock already held has a smaller rank. Locks of one
// rank are taken one at a time, or in address order through lock_two(). This list is the lock-order document.
#pragma once

#include <cstdint>

namespace runsc {

enum class LockRank : uint8_t {
  none = 0,  // unordered: never held together with another of its kind or across a call out of its class

  // Sleeping locks (Mutex, RwMutex), outermost first.
  tty,              // Tty ioctl/line discipline serialisation
  epoll_watch,      // which epolls watch a file
  epoll,            // Epoll instance list (nested epolls: outer before inner)
  pipe,             // Pipe contents
  file_position,    // File::position
  socket_bind,      // a socket gets its name
  socket_send,      // one writer of a stream at a time
  socket_receive,   // one reader of a socket at a time
  socket_rights,    // files in flight between sockets, and their garbage collector
  mount_tree,       // mounts and their parents
  inode,            // Inode contents and directory entries (parent before child; two: address order)
  inode_child,      // a child inode locked while its directory is locked
  overlay_copy_up,  // one copy-up at a time for an inode
  address_space,    // AddressSpace: VMAs
  mapping,          // page cache of an inode, file -> pages
  hostfs,           // host handle cache

  // Spinlocks, outermost first. Nothing waits, copies user memory or calls the host under them.
  process_tree,  // pids, parents, children, groups, sessions
  signal,        // SignalHandlers and pending queues of a thread group
  fd_table,
  fs_context,
  net_lane,       // packets of some flows on their way up: held while their receivers run
  socket_table,   // the AF_UNIX sockets of a network namespace, by name
  socket,         // state and queues of one socket (two: address order)
  socket_accept,  // connections that wait at a listener
  socket_errors,  // what a socket has been told by ICMP
  port_table,     // the sockets of one Internet protocol, by address
  net_config,     // interfaces, addresses, routes, memberships
  net_queue,      // packets that wait
  dcache,
  ipc_table,  // the System V objects of one kind
  ipc,        // one of them
  futex_bucket,
  timer,
  wait_queue,
  page_table,  // PTEs of one address space
  run_queue,
  parker,
  phys_memory,
  slab,
  log,
  leaf,  // takes no other lock
};

}  // namespace runsc
