// msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
#include <limits.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "abi.h"

struct message {
  long type;
  char text[9000];
};

static int put(int id, long type, const char* text, int flags) {
  struct message m = {.type = type};
  strcpy(m.text, text);
  return msgsnd(id, &m, strlen(text), flags);
}

static void expect(int id, long type, int flags, long want_type, const char* want) {
  struct message m = {0};
  ssize_t n = OK(msgrcv(id, &m, sizeof(m.text), type, flags));
  CHECK_EQ(n, (ssize_t)strlen(want));
  CHECK_EQ(m.type, want_type);
  CHECK_STR(m.text, want);
}

static struct msqid_ds stat_of(int id) {
  struct msqid_ds s;
  OK(msgctl(id, IPC_STAT, &s));
  return s;
}

static void order(void) {
  int id = OK(msgget(IPC_PRIVATE, 0600));
  ZERO(put(id, 5, "five", 0));
  ZERO(put(id, 3, "three", 0));
  ZERO(put(id, 3, "three again", 0));
  ZERO(put(id, 9, "", 0));
  struct msqid_ds s = stat_of(id);
  CHECK_EQ(s.msg_qnum, 4);
  CHECK_EQ(s.__msg_cbytes, 20);
  CHECK_EQ(s.msg_qbytes, 16384);
  CHECK_EQ(s.msg_lspid, getpid());
  CHECK_EQ(s.msg_lrpid, 0);
  struct message m;
  FAILS(msgrcv(id, &m, 100, 7, IPC_NOWAIT), ENOMSG);
  FAILS(msgrcv(id, &m, 4, 3, 0), E2BIG);
  FAILS(msgrcv(id, &m, 100, -2, IPC_NOWAIT), ENOMSG);
  expect(id, -5, 0, 3, "three");
  expect(id, 5, MSG_EXCEPT, 3, "three again");
  CHECK_EQ(msgrcv(id, &m, 2, 0, MSG_NOERROR), 2);
  CHECK_EQ(m.type, 5);
  CHECK_EQ(memcmp(m.text, "fi", 2), 0);
  expect(id, 9, 0, 9, "");
  FAILS(msgrcv(id, &m, 100, 0, IPC_NOWAIT), ENOMSG);
  s = stat_of(id);
  CHECK_EQ(s.msg_lrpid, getpid());
  CHECK_EQ(s.msg_qnum, 0);
  FAILS(put(id, 0, "x", 0), EINVAL);
  FAILS(put(id, -1, "x", 0), EINVAL);
  m.type = 1;
  FAILS(msgsnd(id, &m, 8193, 0), EINVAL);
  ZERO(msgsnd(id, &m, 8192, 0));
  ZERO(msgsnd(id, &m, 8192, 0));
  FAILS(put(id, 1, "x", IPC_NOWAIT), EAGAIN);
  FAILS(msgsnd(id, (void*)8, 1, 0), EFAULT);
  OK(msgctl(id, IPC_RMID, NULL));
  FAILS(put(id, 1, "x", 0), EINVAL);
}

static void on_signal(int number) { (void)number; }

static void sleeping(void) {
  int id = OK(msgget(IPC_PRIVATE, 0600));
  pid_t child = FORK(expect(id, 2, 0, 2, "for you"));
  ZERO(put(id, 1, "for others", 0));
  ZERO(put(id, 2, "for you", 0));
  WAIT_OK(child);
  expect(id, 0, 0, 1, "for others");
  // A full queue.
  struct message m = {.type = 1};
  ZERO(msgsnd(id, &m, 8192, 0));
  ZERO(msgsnd(id, &m, 8192, 0));
  child = FORK(ZERO(put(id, 4, "late", 0)));
  CHECK_EQ(msgrcv(id, &m, 8192, 1, 0), 8192);
  WAIT_OK(child);
  CHECK_EQ(msgrcv(id, &m, 8192, 1, 0), 8192);
  expect(id, 4, 0, 4, "late");
  // A handler ends the wait, SA_RESTART or not.
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  OK(sigaction(SIGALRM, &action, NULL));
  alarm(1);
  FAILS(msgrcv(id, &m, 100, 0, 0), EINTR);
  // Removal.
  int ready[2];
  OK(pipe(ready));
  child = FORK(OK(write(ready[1], "x", 1)); FAILS(msgrcv(id, &m, 100, 0, 0), EIDRM));
  CHECK_EQ(read(ready[0], &m, 1), 1);
  char path[64];
  char state[256];
  do {
    snprintf(path, sizeof(path), "/proc/%d/stat", child);
    abi_get(path, state, sizeof(state));
  } while (strstr(state, ") S ") == NULL);
  OK(msgctl(id, IPC_RMID, NULL));
  WAIT_OK(child);
}

static void keys(void) {
  key_t key = 0x5eed0000 + getpid();
  FAILS(msgget(key, 0), ENOENT);
  int id = OK(msgget(key, IPC_CREAT | 0600));
  FAILS(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
  CHECK_EQ(OK(msgget(key, 0)), id);
  struct msqid_ds s = stat_of(id);
  s.msg_qbytes = 100;
  s.msg_perm.mode = 0622;
  OK(msgctl(id, IPC_SET, &s));
  s = stat_of(id);
  CHECK_EQ(s.msg_qbytes, 100);
  CHECK_EQ(s.msg_perm.mode, 0622);
  struct message m = {.type = 1};
  FAILS(msgsnd(id, &m, 101, IPC_NOWAIT), EAGAIN);
  IN_CHILD({
    OK(setgid(1000));
    OK(setuid(1000));
    ZERO(put(id, 1, "x", 0));
    FAILS(msgrcv(id, &m, 100, 0, 0), EACCES);
    FAILS(msgctl(id, IPC_STAT, &s), EACCES);
    FAILS(msgctl(id, IPC_SET, &s), EPERM);
    FAILS(msgctl(id, IPC_RMID, NULL), EPERM);
  });
  struct msginfo info;
  int highest = OK(msgctl(0, MSG_INFO, (struct msqid_ds*)&info));
  CHECK(info.msgpool >= 1 && info.msgmap >= 1 && info.msgtql >= 1);
  bool found = false;
  for (int i = 0; i <= highest; i++) found |= msgctl(i, MSG_STAT, &s) == id;
  CHECK(found);
  OK(msgctl(id, IPC_RMID, NULL));
}

// MSG_COPY: the message at a place, which stays where it is.
static void copies(void) {
  struct {
    long type;
    char text[8];
  } m = {7, "first"};
  int id = OK(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
  OK(msgsnd(id, &m, sizeof(m.text), 0));
  m.type = 8;
  OK(msgsnd(id, &m, sizeof(m.text), 0));
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(msgrcv(id, &m, sizeof(m.text), i, MSG_COPY | IPC_NOWAIT), sizeof(m.text));
    CHECK_EQ(m.type, 7 + i);
  }
  FAILS(msgrcv(id, &m, sizeof(m.text), 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
  FAILS(msgrcv(id, &m, sizeof(m.text), -1, MSG_COPY | IPC_NOWAIT), ENOMSG);
  FAILS(msgrcv(id, &m, sizeof(m.text), LONG_MIN, MSG_COPY | IPC_NOWAIT), ENOMSG);
  CHECK_EQ(msgrcv(id, &m, sizeof(m.text), LONG_MIN, IPC_NOWAIT), sizeof(m.text));
  CHECK_EQ(m.type, 7);
  OK(msgctl(id, IPC_RMID, NULL));
}

int main(void) {
  order();
  copies();
  sleeping();
  keys();
  return 0;
}
