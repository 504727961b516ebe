// Clocks, sleeping, timers.
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "calls.h"
#include "memory.h"
#include "paths.h"
#include "signal_args.h"

ONE_OF(clock_number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, -6, -2, -5)
ONE_OF(sleep_clock, 0, 1, 2, 7, 11)
ONE_OF(interval, 0, 1, 2)
SOME_OF(absolute, 1)

static void keep_timer(struct Call* c) {
  int timer;
  if (peek(&timer, c->a[2], 4)) keep(c, kTimer, timer);
}

static long adjustment(struct Call* c) {
  static const long kModes[] = {
      0, 0, 0, ADJ_OFFSET, ADJ_FREQUENCY, ADJ_OFFSET_SS_READ, ADJ_TAI, ADJ_SETOFFSET};
  struct timex times = {.modes = (unsigned)one_of(c, kModes, COUNT(kModes))};
  char* at = room(c, sizeof(times));
  memcpy(at, &times, sizeof(times));
  return place(c, at);
}

// The hand of a clock that others read stays where it is, on the machine that we stand on.
static const struct Row kRows[] = {
    {SYS_nanosleep, 2, .args = {time_value, out_64}},
    {SYS_clock_nanosleep, 2, .args = {sleep_clock, absolute, time_value, out_64}},
    {SYS_getitimer, .args = {interval, out_64}},
    {SYS_setitimer, .args = {interval, timer_value_us, out_64}},
    {SYS_alarm, 1, .args = {small}},
    {SYS_gettimeofday, 2, .args = {out_64, out_64}},
    {SYS_settimeofday, 1, .flags = kNotLinux, .args = {time_value, zero}},
    {SYS_time, 1, .args = {out_8}},
    {SYS_times, 1, .args = {out_64}},
    {SYS_adjtimex, 2, .flags = kNotLinux, .args = {adjustment}},
    {SYS_clock_adjtime, 2, .flags = kNotLinux, .args = {clock_number, adjustment}},
    {SYS_clock_gettime, .args = {clock_number, out_64}},
    {SYS_clock_getres, .args = {clock_number, out_64}},
    {SYS_clock_settime, 1, .flags = kNotLinux, .args = {clock_number, time_value}},
    {SYS_timer_create, 6, .args = {clock_number, signal_event, out_8}, .after = keep_timer},
    {SYS_timer_settime, 8, .args = {timer_id, absolute, timer_value, out_64}},
    {SYS_timer_gettime, .args = {timer_id, out_64}},
    {SYS_timer_getoverrun, .args = {timer_id}},
    {SYS_timer_delete, 2, .args = {timer_id}},
    {SYS_restart_syscall, 1},
};

struct Rows time_rows(void) {
  return ROWS(kRows);
}
