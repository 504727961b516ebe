// What the host announces (hostcall TakeEvents).
#pragma once

namespace runsc::kernel {

// Takes the waiting events, if any, and hands them on. Idle context or task, no locks held.
void take_host_events();

}  // namespace runsc::kernel
