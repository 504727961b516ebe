// epoll between threads and processes: one event wakes one with EPOLLEXCLUSIVE and EPOLLET, none is lost.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "abi.h"

enum { kWorkers = 4, kEvents = 100 };
static int g_epoll, g_done;
static int g_pipes[8][2];
static atomic_int g_handled;

static void* worker(void* arg) {
  (void)arg;
  for (;;) {
    struct epoll_event event;
    int n = OK(epoll_wait(g_epoll, &event, 1, -1));
    if (n == 0) continue;
    if (event.data.u32 == 99) return NULL;
    char c[16];
    // One shot: nobody else has this pipe now.
    ssize_t got;
    while ((got = read(g_pipes[event.data.u32][0], c, sizeof(c))) > 0) atomic_fetch_add(&g_handled, (int)got);
    CHECK_EQ(errno, EAGAIN);
    struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = event.data.u32};
    OK(epoll_ctl(g_epoll, EPOLL_CTL_MOD, g_pipes[event.data.u32][0], &again));
  }
}

static void edge(void) {
  // Each edge is told once to one waiter.
  int epoll = OK(epoll_create1(0)), event_fd = OK(eventfd(0, EFD_NONBLOCK));
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, event_fd, &event));
  for (int i = 0; i < 20; i++) {
    eventfd_write(event_fd, 1);
    CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  }
}

static void* edge_waiter(void* arg) {
  atomic_int* tid = arg;
  struct epoll_event event;
  atomic_store(tid, abi_tid());
  CHECK_EQ(epoll_wait(g_epoll, &event, 1, -1), 1);
  atomic_fetch_add(&g_handled, 1);
  return NULL;
}

// As many edges as sleepers: each has one, whoever of them runs first.
static void edges_to_sleepers(void) {
  g_epoll = OK(epoll_create1(0));
  int event_fd = OK(eventfd(0, EFD_NONBLOCK));
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  OK(epoll_ctl(g_epoll, EPOLL_CTL_ADD, event_fd, &event));
  pthread_t threads[kWorkers];
  atomic_int tids[kWorkers] = {0};
  atomic_store(&g_handled, 0);
  for (int i = 0; i < kWorkers; i++) ZERO(pthread_create(&threads[i], NULL, edge_waiter, &tids[i]));
  for (int i = 0; i < kWorkers; i++) {
    while (atomic_load(&tids[i]) == 0) sched_yield();
    abi_await_state(atomic_load(&tids[i]), 'S');
  }
  for (int i = 0; i < kWorkers; i++) {
    eventfd_write(event_fd, 1);
    abi_await(&g_handled, i + 1);
  }
  for (int i = 0; i < kWorkers; i++) ZERO(pthread_join(threads[i], NULL));
  OK(close(event_fd));
  OK(close(g_epoll));
}

static void exclusive(void) {
  int event_fd = OK(eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK));
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    pids[i] = FORK({
      int epoll = OK(epoll_create1(0));
      struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
      OK(epoll_ctl(epoll, EPOLL_CTL_ADD, event_fd, &event));
      eventfd_t value;
      do {
        OK(epoll_wait(epoll, &event, 1, -1));
      } while (eventfd_read(event_fd, &value) != 0);
    });
  }
  for (int i = 0; i < 3; i++) abi_await_state(pids[i], 'S');
  for (int i = 0; i < 3; i++) eventfd_write(event_fd, 1);
  for (int i = 0; i < 3; i++) WAIT_OK(pids[i]);
}

int main(void) {
  g_epoll = OK(epoll_create1(0));
  g_done = OK(eventfd(0, 0));
  for (uint32_t i = 0; i < 8; i++) {
    OK(pipe2(g_pipes[i], O_NONBLOCK));
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = i};
    OK(epoll_ctl(g_epoll, EPOLL_CTL_ADD, g_pipes[i][0], &event));
  }
  pthread_t threads[kWorkers];
  for (int i = 0; i < kWorkers; i++) ZERO(pthread_create(&threads[i], NULL, worker, NULL));
  for (int i = 0; i < kEvents; i++) CHECK_EQ(write(g_pipes[i * 5 % 8][1], "x", 1), 1);
  abi_await(&g_handled, kEvents);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = 99};
  OK(epoll_ctl(g_epoll, EPOLL_CTL_ADD, g_done, &event));
  eventfd_write(g_done, 1);
  for (int i = 0; i < kWorkers; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK_EQ(atomic_load(&g_handled), kEvents);
  edge();
  edges_to_sleepers();
  exclusive();
  // An epoll descriptor in poll, and shared over fork.
  int inner = OK(epoll_create1(0)), source = OK(eventfd(0, 0));
  event = (struct epoll_event){.events = EPOLLIN};
  OK(epoll_ctl(inner, EPOLL_CTL_ADD, source, &event));
  pid_t pid = FORK({
    struct pollfd set = {.fd = inner, .events = POLLIN};
    CHECK_EQ(poll(&set, 1, -1), 1);
    CHECK_EQ(epoll_wait(inner, &event, 1, 0), 1);
  });
  abi_await_state(pid, 'S');
  eventfd_write(source, 1);
  WAIT_OK(pid);
  return 0;
}
