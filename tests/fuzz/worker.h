// A worker: a process, or several that share what they have, whose tasks make calls until they made them all.
#pragma once

#include <stdatomic.h>

#include "draw.h"
#include "memory.h"

enum { kSlots = 32, kErrors = 134 };

// A task as its watcher sees it.
struct Slot {
  atomic_int tid;  // 0: free
  atomic_ulong calls;
  atomic_long number;  // of the call under way
  atomic_long args[kArguments];
};

// What all processes see.
struct Shared {
  struct Slot slots[kSlots];
  atomic_ulong total;
  atomic_uint made[kSyscalls], succeeded[kSyscalls], killed[kSyscalls];
  atomic_uint errors[kSyscalls][kErrors];
};

struct Settings {
  uint64_t seed;
  bool contained, user;
  uint64_t calls;  // of a worker
};

extern struct Shared* g_shared;
extern struct Settings g_settings;

// Makes the calls of worker `part` in the current directory; ends the process.
_Noreturn void work(uint64_t part);

// Makes a call and counts it.
void perform(struct Call* c);

// A copy of this process whose watcher knows it: 0 in the copy, whose task ends after `calls` more calls. -1
// if there is no place for one.
long fork_task(struct Call* c, uint64_t calls);

// A new task on the stack of a task block, which runs `entry(task)` and ends; or the error number below zero.
long spawn(long flags, void (*entry)(struct Task*), struct Task* task);

// Goes on with the calls of a child until its end.
_Noreturn void child_calls(struct Task* task);

_Noreturn void end_task(long status);

// Sets right what calls may have changed: handlers and the signal mask.
void open_signals(void);
