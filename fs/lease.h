// File leases (fcntl(2), F_SETLEASE): who has one hears when another opens the file, and that waits until he
// has given way, or for lease-break-time.
#pragma once

#include "fs/inode.h"

namespace runsc::fs {

enum class LeaseType : uint8_t { read = 0, write = 1, none = 2 };  // as F_RDLCK, F_WRLCK, F_UNLCK

// The kernel's: the monotonic clock, and the signal to whom the file belongs. Before the first lease.
struct LeaseHooks {
  uint64_t (*now_ns)();
  void (*broken)(File& file);
};
void lease_init(const LeaseHooks& hooks);

// Whether there can be any: a regular file in memory, which nobody but we opens.
bool may_have_leases(const Inode& inode);
// Of an open file description of a file that may have leases; `none` takes it back. EAGAIN: there is none to
// take back, others have one, or have it open in a way that goes not with the lease: for a write lease
// anybody else at all, for a read lease who may write, the caller too (`mapped`: by a shared mapping).
// ENOMEM.
Result<void> lease_set(File& file, LeaseType type, bool mapped);
// As it is, or is to become.
LeaseType lease_of(const File& file);
// The last reference to `file` is gone.
void lease_drop(const File& file);

// When a file has been opened, or claimed for writing, before anything is done with it. EAGAIN: leases are in
// the way; who has them has been told.
Result<void> lease_break(Inode& inode, bool write);
// Woken when leases change; null: there never was one.
WaitQueue* lease_queue();
// Until when somebody must give way, at the latest. False: nobody has to.
bool lease_deadline(uint64_t& deadline_ns);
// In seconds; 0: no end.
std::atomic<uint32_t>& lease_break_time();

}  // namespace runsc::fs
