// Watches of inotify(7) on files of a bind mount: what others change there on the host is told here.
#pragma once

#include "fs/hostfs/hostfs.h"

namespace runsc::fs {

// Asks the host for what the watches of the inode want to hear, or for nothing any more. May sleep. Without
// room for a watch on the host its changes stay untold, which is logged.
void update_host_watch(HostInode& inode);

// Takes from the host some of what it announced (EventKind::changes), and tells it. On a kernel thread: it
// sleeps. True: there is more.
bool take_host_changes();

}  // namespace runsc::fs
