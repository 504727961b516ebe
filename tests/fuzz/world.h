// What surrounds the calls of a worker: limits, files and descriptors to begin with, and containment on Linux
// itself.
#pragma once

#include <stdbool.h>

// Limits, namespaces, files in the current directory and descriptors in the pools; `user`: as an ordinary
// user, `mapped`: in a user namespace of its own, with all capabilities there.
void enter_world(bool user, bool mapped, bool contained);

// A place on Linux where nothing can be harmed: own namespaces, an empty file system, later no privileges.
void contain(void);

// Removes all below a folder, and what System V and message queues keep.
void clean_up(const char* folder);

// Calls that are not made with any arguments.
bool wild_excluded(long number, bool contained);
