// The system calls that are made, each with the shape of its arguments. A call may have several rows.
#pragma once

#include <sys/syscall.h>

#include "draw.h"
#include "pools.h"

enum RowFlags {
  kInChild =
      1,  // changes what a task cannot get back: mostly made by a child, which goes on with other calls
  kNoReturn = 2,  // does not return when it succeeds
  kNotLinux = 4,  // not on the machine that we stand on
};

struct Row {
  short number;
  unsigned char weight;  // 0 means 4
  unsigned char flags;
  Drawer* args[kArguments];
  void (*prepare)(struct Call* c);  // instead of the drawers, or to set right what they drew
  void (*after)(struct Call* c);    // keeps what a call made, when it succeeded
  long (*make)(struct Call* c);     // makes the call in a way of its own; a result as of the call itself
  enum Kind gives;                  // the kind of what it returns
};

struct Rows {
  const struct Row* rows;
  size_t count;
};

#define ROWS(array) \
  (struct Rows) { array, COUNT(array) }

struct Rows file_rows(void);
struct Rows path_rows(void);
struct Rows event_rows(void);
struct Rows memory_rows(void);
struct Rows signal_rows(void);
struct Rows task_rows(void);
struct Rows identity_rows(void);
struct Rows socket_rows(void);
struct Rows time_rows(void);
struct Rows ipc_rows(void);
struct Rows admin_rows(void);
struct Rows mount_rows(void);

// Chooses by weight.
const struct Row* draw_row(struct Call* c, bool contained);

// A system call without libc: the result, or the error number below zero.
long raw_call(long number, const long* a);
static inline long raw3(long number, long a, long b, long c) {
  long all[kArguments] = {a, b, c};
  return raw_call(number, all);
}
