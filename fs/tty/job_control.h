// What terminals ask of the kernel about sessions and process groups (credentials(7)); defined in
// kernel/job_control.cc, unit tests bring their own.
#pragma once

#include <cstdint>

#include "kernel/base/ref.h"
#include "kernel/base/result.h"

namespace runsc::fs {

class Tty;

namespace job_control {

int32_t session_of_current();  // session id
int32_t group_of_current();    // process group id
bool current_is_session_leader();
// The controlling terminal of the current process's session; null: none.
Ref<Tty> controlling_tty_of_current();
// Makes `tty` (null: nothing) the controlling terminal of `session`.
void set_controlling_tty(int32_t session, Tty* tty);
// May `group` become the foreground group of a terminal of `session`? It names a process group, or else a
// task. ESRCH: nothing has this number. EPERM: of another session.
Result<void> check_group(int32_t group, int32_t session);
// A group or session as the current task sees it (0: not at all), and what it means by a number (0: nothing).
int32_t number_of(int32_t id);
int32_t id_of(int32_t number);
bool group_of_current_is_orphaned();
// Blocked or ignored by the current task.
bool current_disregards(int signo);
void signal_group(int32_t group, int signo);
void signal_session_leader(int32_t session, int signo);
bool current_has_sys_admin();

}  // namespace job_control
}  // namespace runsc::fs
