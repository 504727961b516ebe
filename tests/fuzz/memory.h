// Memory that calls work on. Each task has a block: what is known of it, its stack, its buffers, a page
// without access. Besides: an arena for calls that change mappings, and pages that change while a call uses
// them.
#pragma once

#include "draw.h"

enum {
  kPage = 4096,
  kBlock = 512 << 10,  // a task's, at a multiple of itself
  kStackEnd = 256 << 10,
  kDataSize = 64 << 10,
  kArenaSize = 256 * kPage,
  kShiftingSize = 16 * kPage,
  kBlocks = 8,
};

struct Slot;

// A task that makes calls; lies at the start of its block.
struct Task {
  void* resume[5];  // where a fault goes on
  bool guarded;     // a fault is one of a call's making
  bool child;       // of a worker's task; it ends after a few calls
  uint64_t where;   // tells its random numbers from those of other tasks
  uint64_t calls;   // that it is to make
  size_t used;      // of its buffers, by the call under way
  struct Slot* slot;
  char* data;
  char* stack_top;
};

extern char *g_arena, *g_shifting;

void make_memory(void);

// The block of one more task; null when there is no memory.
struct Task* new_task(unsigned number);

// The task on whose stack this address is.
struct Task* task_of(unsigned long stack);

// Zeroes of this size for an argument, sometimes at the edge of what can be used, sometimes in pages that
// change.
char* room(struct Call* c, size_t size);

// Fills with values that mean something now and then.
void noise(struct Call* c, char* at, size_t size);

// The address, rarely another one.
long place(struct Call* c, const void* at);
long wild_pointer(struct Call* c);

// A copy of a text.
char* text(struct Call* c, const char* from);

// Copies what a call has written, if it is in the task's own buffers.
bool peek(void* to, long from, size_t size);

// Changes the pages that change, and buffers of other tasks.
void spoil(struct Call* c);

// Room for what a call gives back, of at least so many bytes.
Drawer out_8, out_64, out_256, out_4k;
Drawer in_noise;  // 64 bytes
Drawer buffer;    // of any size
Drawer extent;    // the bytes of the buffer before
Drawer buffer_of_8, iovec, count_16, offset_pointer;
Drawer area, area_size, map_hint;
Drawer file_offset, small, zero, bits, odd, length;
