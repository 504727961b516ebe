// What surrounds the random calls: limits, files and descriptors to work on, and containment on Linux itself.
#pragma once

#include <stdbool.h>

enum { kFds = 64, kUser = 54321 };

// Descriptors that calls are made on.
extern int g_fds[kFds], g_fd_count;

// Adds a descriptor; when the table is full it replaces the one at `place` from the end.
void keep_fd(long fd, unsigned place);

// Fills the current directory and the table.
void make_fds(void);

// Resource limits of a worker; `user`: from now on an ordinary user.
void set_limits(bool user);

// A place on Linux where nothing can be harmed: own namespaces, an empty file system, later no privileges.
void contain(void);
