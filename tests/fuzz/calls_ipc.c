// System V objects and message queues.
#include <fcntl.h>
#include <mqueue.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "calls.h"
#include "memory.h"
#include "paths.h"
#include "signal_args.h"

ONE_OF(key, IPC_PRIVATE, 77, 78, 79)
SOME_OF(get_flags, IPC_CREAT | 0666, IPC_CREAT | IPC_EXCL | 0666, 0666, 0)
SOME_OF(attach_flags, SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC)
ONE_OF(shm_command, IPC_STAT, IPC_STAT, IPC_SET, IPC_RMID, IPC_INFO, SHM_INFO, SHM_STAT, SHM_LOCK, SHM_UNLOCK,
       15)
ONE_OF(msg_command, IPC_STAT, IPC_STAT, IPC_SET, IPC_RMID, IPC_INFO, 11, 12, 13)
SOME_OF(message_flags, IPC_NOWAIT, 010000, 020000, 040000)
ONE_OF(message_type, 0, 1, 2, 3, -2, -1000)

static long get_nowait(struct Call* c) { return message_flags(c) | (chance(c, 90) ? IPC_NOWAIT : 0); }

static long set_count(struct Call* c) { return chance(c, 95) ? 1 + (long)below(c, 8) : odd_number(c); }

static void draw_semctl(struct Call* c) {
  static const struct {
    long command;
    Drawer* argument;
  } kCommands[] = {{IPC_STAT, out_256}, {IPC_SET, in_noise}, {IPC_RMID, zero},    {IPC_INFO, out_256},
                   {GETVAL, zero},      {SETVAL, small},     {GETALL, out_256},   {SETALL, in_noise},
                   {GETPID, zero},      {GETNCNT, zero},     {GETZCNT, zero},     {18, out_256},
                   {19, out_256},       {20, out_256},       {IPC_STAT, out_256}, {GETALL, out_256}};
  uint64_t which = below(c, COUNT(kCommands));
  c->a[0] = which == 2 && chance(c, 70) ? 0x7000 : sem_id(c);
  c->a[1] = (long)below(c, 6);
  c->a[2] = kCommands[which].command;
  c->a[3] = kCommands[which].argument(c);
}

static long semaphore_operations(struct Call* c) {
  struct sembuf operations[4] = {0};
  uint64_t count = 1 + below(c, 4);
  for (uint64_t i = 0; i < count; i++) {
    operations[i].sem_num = (unsigned short)below(c, chance(c, 90) ? 4 : 9);
    operations[i].sem_op = (short)((long)below(c, 7) - 3);
    operations[i].sem_flg = (short)((chance(c, 85) ? IPC_NOWAIT : 0) | (chance(c, 40) ? SEM_UNDO : 0));
    if (chance(c, 3)) operations[i].sem_op = (short)draw(c);
  }
  char* at = room(c, sizeof(operations));
  memcpy(at, operations, sizeof(operations));
  c->extent = (long)count;
  return place(c, at);
}

static long message(struct Call* c) {
  size_t size = below(c, 400);
  char* at = room(c, size + 8);
  long type = chance(c, 95) ? 1 + (long)below(c, 3) : odd_number(c);
  memcpy(at, &type, 8);
  c->extent = (long)size;
  return place(c, at);
}

static long queue_name(struct Call* c) {
  static const char* const kNames[] = {"q", "q1", "q2", "q1", "q2", "", "a/b", "."};
  return place(c, text(c, kNames[below(c, COUNT(kNames))]));
}

SOME_OF(queue_extra, O_CREAT, O_CREAT, O_CREAT, O_CREAT | O_EXCL, O_CLOEXEC)
static long queue_flags(struct Call* c) {
  return queue_extra(c) | (chance(c, 90) ? O_NONBLOCK : 0) | (long)below(c, 3);
}

static long queue_attributes(struct Call* c) {
  if (chance(c, 30)) return 0;
  long words[8] = {chance(c, 50) ? O_NONBLOCK : 0, 1 + (long)below(c, 10), 1 + (long)below(c, 200)};
  if (chance(c, 10)) words[below(c, 3)] = odd_number(c);
  char* at = room(c, sizeof(words));
  memcpy(at, words, sizeof(words));
  return place(c, at);
}

static long queue_size(struct Call* c) { return chance(c, 90) ? (long)below(c, 65) : odd_number(c); }
static long receive_size(struct Call* c) { return chance(c, 90) ? 4096 : odd_number(c); }
static long priority(struct Call* c) { return chance(c, 95) ? (long)below(c, 10) : odd_number(c); }
static long attach_at(struct Call* c) { return chance(c, 60) ? 0 : area(c); }
static long shm_size(struct Call* c) { return chance(c, 90) ? 1 + (long)below(c, 40000) : odd_number(c); }

// Removal is no everyday thing, or there would be nothing to work on.
static void less_removal(struct Call* c) {
  if (c->a[1] == IPC_RMID && chance(c, 70)) c->a[1] = IPC_STAT;
}

static const struct Row kRows[] = {
    {SYS_shmget, .args = {key, shm_size, get_flags}, .gives = kShm},
    {SYS_shmat, 6, .args = {shm_id, attach_at, attach_flags}, .gives = kShmAt},
    {SYS_shmdt, .args = {shm_at}},
    {SYS_shmctl, 6, .args = {shm_id, shm_command, out_256}, .prepare = less_removal},
    {SYS_semget, .args = {key, set_count, get_flags}, .gives = kSem},
    {SYS_semop, 6, .args = {sem_id, semaphore_operations, extent}},
    {SYS_semtimedop, .args = {sem_id, semaphore_operations, extent, time_pointer}},
    {SYS_semctl, 8, .prepare = draw_semctl},
    {SYS_msgget, .args = {key, get_flags}, .gives = kMsg},
    {SYS_msgsnd, 6, .args = {msg_id, message, extent, get_nowait}},
    {SYS_msgrcv, 6, .args = {msg_id, buffer, extent, message_type, get_nowait}},
    {SYS_msgctl, .args = {msg_id, msg_command, out_256}, .prepare = less_removal},
    {SYS_mq_open, 6, .args = {queue_name, queue_flags, mode, queue_attributes}, .gives = kQueue},
    {SYS_mq_unlink, 2, .args = {queue_name}},
    {SYS_mq_timedsend, 6, .args = {fd_queue, out_256, queue_size, priority, time_pointer}},
    {SYS_mq_timedreceive, 6, .args = {fd_queue, out_4k, receive_size, out_8, time_pointer}},
    {SYS_mq_notify, .args = {fd_queue, signal_event}},
    {SYS_mq_getsetattr, .args = {fd_queue, queue_attributes, out_64}},
};

struct Rows ipc_rows(void) {
  return ROWS(kRows);
}
