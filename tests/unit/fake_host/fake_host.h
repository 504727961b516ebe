// A host for unit tests of fs: hostcalls on files served over real directories, beside the fake machine.
#pragma once

#include <string>

#include "kvm/hostcall/frame.h"

namespace runsc::fake_host {

// Serves the hostcalls of the fake machine from now on; handle 0, 1, ... are the given directories or files.
// Call after arch::fake::start().
void start();
hostcall::Handle donate(const std::string& path);
// Closes everything. Returns how many handles the sentry had left open.
size_t stop();

// Hostcalls on files so far, for tests of caching.
uint64_t calls();
// So many replies with changes that the host made wait to be taken; how many still do.
void put_changes(uint64_t replies);
uint64_t changes_left();
// How often a whole file system of the host was written back.
uint64_t synced_file_systems();

}  // namespace runsc::fake_host
