// Waiting for files: poll, select, epoll, eventfd, signalfd, timerfd, inotify, asynchronous input and output.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "calls.h"
#include "memory.h"
#include "paths.h"
#include "signal_args.h"

ONE_OF(epoll_operation, EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL)
SOME_OF(epoll_events, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLET, EPOLLONESHOT,
        EPOLLEXCLUSIVE, EPOLLWAKEUP, EPOLLIN | EPOLLOUT)
SOME_OF(poll_events, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLIN | POLLOUT)
SOME_OF(epoll_flags, O_CLOEXEC)
SOME_OF(event_flags, O_CLOEXEC, 1)
SOME_OF(timer_flags, 1, 2)
ONE_OF(timer_clock, CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM,
       CLOCK_BOOTTIME_ALARM)
ONE_OF(wait_ms, 0, 0, 0, 1, 2, -1)

static long nonblock(struct Call* c) { return epoll_flags(c) | (chance(c, 90) ? O_NONBLOCK : 0); }
static long event_nonblock(struct Call* c) { return event_flags(c) | (chance(c, 90) ? O_NONBLOCK : 0); }

static long poll_set(struct Call* c) {
  uint64_t count = below(c, 8);
  struct pollfd set[8] = {0};
  for (uint64_t i = 0; i < count; i++) {
    set[i].fd = (int)fd_any(c);
    set[i].events = (short)poll_events(c);
  }
  char* at = room(c, sizeof(set));
  memcpy(at, set, sizeof(set));
  c->extent = (long)count;
  return place(c, at);
}

static long fd_set_of(struct Call* c) {
  if (chance(c, 40)) return 0;
  unsigned long words[16] = {0};
  for (uint64_t i = below(c, 6); i > 0; i--) {
    uint64_t fd = (uint64_t)fd_any(c) % 256;
    words[fd / 64] |= 1UL << fd % 64;
  }
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  return place(c, at);
}

static long select_count(struct Call* c) { return chance(c, 95) ? (long)below(c, 257) : odd_number(c); }

static long sigset_pair(struct Call* c) {
  if (chance(c, 60)) return 0;
  long words[2] = {signal_set(c), 8};
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  return place(c, at);
}

static long epoll_event(struct Call* c) {
  struct epoll_event event = {.events = (uint32_t)epoll_events(c), .data.u64 = draw(c)};
  char* at = room(c, sizeof(event));
  memcpy(at, &event, sizeof(event));
  return place(c, at);
}

static long events_wanted(struct Call* c) { return chance(c, 95) ? 1 + (long)below(c, 16) : odd_number(c); }

static long signal_fd(struct Call* c) { return chance(c, 50) ? -1 : fd_signalfd(c); }

static long context_pointer(struct Call* c) { return out_8(c); }

static void keep_context(struct Call* c) {
  long context;
  if (peek(&context, c->a[1], 8)) keep(c, kAio, context);
}

static long aio_events(struct Call* c) { return chance(c, 95) ? 1 + (long)below(c, 32) : odd_number(c); }

static char* control_block(struct Call* c) {
  static const long kCommands[] = {IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_FSYNC,  IOCB_CMD_FDSYNC,
                                   IOCB_CMD_POLL,  IOCB_CMD_NOOP,   IOCB_CMD_PREADV, IOCB_CMD_PWRITEV};
  struct iocb block = {.aio_data = draw(c),
                       .aio_lio_opcode = (uint16_t)one_of(c, kCommands, COUNT(kCommands))};
  block.aio_fildes = (uint32_t)(block.aio_lio_opcode == IOCB_CMD_POLL ? fd_polled(c) : fd_data(c));
  if (block.aio_lio_opcode == IOCB_CMD_PREADV || block.aio_lio_opcode == IOCB_CMD_PWRITEV) {
    block.aio_buf = (uint64_t)iovec(c);
    block.aio_nbytes = (uint64_t)c->extent;
  } else if (block.aio_lio_opcode == IOCB_CMD_POLL) {
    block.aio_buf = (uint64_t)poll_events(c);
  } else if (block.aio_lio_opcode < 2) {
    block.aio_buf = (uint64_t)buffer(c);
    block.aio_nbytes = (uint64_t)c->extent;
    block.aio_offset = file_offset(c);
  }
  if (chance(c, 20)) {
    block.aio_flags = IOCB_FLAG_RESFD;
    block.aio_resfd = (uint32_t)fd_eventfd(c);
  }
  char* at = room(c, sizeof(block));
  memcpy(at, &block, sizeof(block));
  return at;
}

static long control_blocks(struct Call* c) {
  uint64_t count = below(c, 4);
  long blocks[4] = {0};
  for (uint64_t i = 0; i < count; i++) blocks[i] = place(c, control_block(c));
  char* at = room(c, sizeof(blocks));
  memcpy(at, blocks, sizeof(blocks));
  return place(c, at);
}

// As many as there are, mostly.
static long blocks_count(struct Call* c) { return chance(c, 95) ? (long)below(c, 4) : odd_number(c); }

// What can be cancelled: a block is known by its address.
static void keep_block(struct Call* c) {
  long block;
  if (c->result > 0 && peek(&block, c->a[2], 8)) keep(c, kAioBlock, block);
}

static const struct Row kRows[] = {
    {SYS_poll, .args = {poll_set, extent, wait_ms}},
    {SYS_ppoll, .args = {poll_set, extent, time_pointer, signal_mask, size_of_set}},
    {SYS_select, .args = {select_count, fd_set_of, fd_set_of, fd_set_of, time_value}},
    {SYS_pselect6, .args = {select_count, fd_set_of, fd_set_of, fd_set_of, time_value, sigset_pair}},
    {SYS_epoll_create, 1, .args = {small}, .gives = kEpoll},
    {SYS_epoll_create1, .args = {epoll_flags}, .gives = kEpoll},
    {SYS_epoll_ctl, 12, .args = {fd_epoll, epoll_operation, fd_polled, epoll_event}},
    {SYS_epoll_ctl, 4, .args = {fd_epoll, epoll_operation, fd_epoll, epoll_event}},
    {SYS_epoll_wait, 6, .args = {fd_epoll, out_256, events_wanted, wait_ms}},
    {SYS_epoll_pwait, .args = {fd_epoll, out_256, events_wanted, wait_ms, signal_mask, size_of_set}},
    {SYS_epoll_pwait2, .args = {fd_epoll, out_256, events_wanted, time_pointer, signal_mask, size_of_set}},
    {SYS_eventfd, 2, .args = {small}, .gives = kEventfd},
    {SYS_eventfd2, .args = {small, event_nonblock}, .gives = kEventfd},
    {SYS_write, .args = {fd_eventfd, buffer_of_8, extent}},
    {SYS_read, .args = {fd_eventfd, out_8, extent}},
    {SYS_signalfd, 2, .args = {signal_fd, signal_mask, size_of_set}, .gives = kSignalfd},
    {SYS_signalfd4, .args = {signal_fd, signal_mask, size_of_set, nonblock}, .gives = kSignalfd},
    {SYS_read, .args = {fd_signalfd, out_256, extent}},
    {SYS_timerfd_create, .args = {timer_clock, nonblock}, .gives = kTimerfd},
    {SYS_timerfd_settime, 6, .args = {fd_timerfd, timer_flags, timer_value, out_64}},
    {SYS_timerfd_gettime, .args = {fd_timerfd, out_64}},
    {SYS_read, .args = {fd_timerfd, out_8, extent}},
    {SYS_inotify_init, 1, .gives = kInotify},
    {SYS_inotify_init1, .args = {nonblock}, .gives = kInotify},
    {SYS_inotify_rm_watch, .args = {fd_inotify, watch_id}},
    {SYS_read, .args = {fd_inotify, out_256, extent}},
    {SYS_io_setup, 3, .args = {aio_events, context_pointer}, .after = keep_context},
    {SYS_io_destroy, 1, .args = {aio_id}},
    {SYS_io_submit, 8, .args = {aio_id, blocks_count, control_blocks}, .after = keep_block},
    {SYS_io_getevents, 6, .args = {aio_id, zero, events_wanted, out_4k, time_value}},
    {SYS_io_pgetevents, .args = {aio_id, zero, events_wanted, out_4k, time_value, sigset_pair}},
    {SYS_io_cancel, .args = {aio_id, aio_block, out_64}},
};

struct Rows event_rows(void) {
  return ROWS(kRows);
}
