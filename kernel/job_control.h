// Controlling terminals of sessions (credentials(7), tty(4)): the kernel's side of fs/tty/job_control.h.
#pragma once

#include "fs/tty/tty.h"

namespace runsc::kernel {

// Null: the session has none.
Ref<fs::Tty> controlling_tty_of(int32_t session);
// The leader of the session ends: its terminal is free again, and the foreground group hears SIGHUP.
void session_leader_exits(int32_t session);

}  // namespace runsc::kernel
