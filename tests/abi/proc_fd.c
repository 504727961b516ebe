// /proc/PID/fd, fdinfo, task of oneself and others: proc(5).
#include <dirent.h>

#include "abi.h"

static void link_of(const char* path, char* target, size_t size) {
  ssize_t n = OK(readlink(path, target, size - 1));
  target[n] = 0;
}

int main(void) {
  const char* dir = abi_scratch();
  char path[64], target[512], want[512], text[4096];
  abi_put("f", "0123456789");
  int fd = OK(open("f", O_RDWR | O_APPEND | O_CLOEXEC));
  CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  link_of(path, target, sizeof(target));
  snprintf(want, sizeof(want), "%s/f", dir);
  CHECK_STR(target, want);
  struct stat st, direct;
  OK(stat(path, &st));
  OK(fstat(fd, &direct));
  CHECK_EQ(st.st_ino, direct.st_ino);
  OK(lstat(path, &st));
  CHECK(S_ISLNK(st.st_mode));
  CHECK_EQ(st.st_mode & 0777, 0700);  // readable and writable

  // Opening it opens the file anew.
  int again = OK(open(path, O_RDONLY));
  CHECK_EQ(lseek(again, 0, SEEK_CUR), 0);
  OK(rename("f", "g"));
  link_of(path, target, sizeof(target));
  snprintf(want, sizeof(want), "%s/g", dir);
  CHECK_STR(target, want);
  OK(unlink("g"));
  link_of(path, target, sizeof(target));
  strcat(want, " (deleted)");
  CHECK_STR(target, want);
  OK(close(OK(open(path, O_RDONLY))));  // still reachable

  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
  abi_get(path, text, sizeof(text));
  int pos, flags, mnt;
  CHECK_EQ(sscanf(text, "pos:\t%d flags:\t%o mnt_id:\t%d", &pos, &flags, &mnt), 3);
  CHECK_EQ(pos, 4);
  CHECK_EQ(flags & (O_ACCMODE | O_APPEND | O_CLOEXEC), O_RDWR | O_APPEND | O_CLOEXEC);

  int fds[2];
  OK(pipe(fds));
  OK(fstat(fds[0], &st));
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
  link_of(path, target, sizeof(target));
  snprintf(want, sizeof(want), "pipe:[%lu]", st.st_ino);
  CHECK_STR(target, want);
  int writer = OK(open(path, O_WRONLY | O_NONBLOCK));  // the other end of the same pipe
  CHECK_EQ(write(writer, "w", 1), 1);
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 1);

  // The list is what is open.
  DIR* list = opendir("/proc/self/fd");
  CHECK(list != NULL);
  int count = 0;
  bool found = false;
  for (struct dirent* entry; (entry = readdir(list));) {
    if (entry->d_name[0] == '.') continue;
    OK(fcntl(atoi(entry->d_name), F_GETFD));
    found |= atoi(entry->d_name) == fd;
    count++;
  }
  CHECK(found);
  CHECK(count >= 8);
  closedir(list);
  OK(readlink("/dev/fd", target, sizeof(target)));
  OK(close(OK(open("/dev/stderr", O_WRONLY | O_APPEND))));

  // Another process of ours.
  atomic_int* word = abi_shared(4096);
  pid_t pid = FORK({
    OK(chdir("/usr"));
    OK(dup2(fds[0], 77));
    atomic_store(word, 1);
    for (;;) pause();
  });
  abi_await(word, 1);
  snprintf(path, sizeof(path), "/proc/%d/fd/77", pid);
  OK(close(OK(open(path, O_RDONLY | O_NONBLOCK))));
  snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
  link_of(path, target, sizeof(target));
  CHECK_STR(target, "/usr");
  snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, pid);
  abi_get(path, text, sizeof(text));
  CHECK(strstr(text, "Name:\tproc_fd\n") != NULL);
  // It dies: a zombie has no files, then it is gone.
  OK(kill(pid, SIGKILL));
  siginfo_t info;
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  CHECK_EQ(abi_state(pid), 'Z');
  snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
  CHECK_EQ(abi_get(path, text, sizeof(text)), 0);
  snprintf(path, sizeof(path), "/proc/%d/exe", pid);
  FAILS(readlink(path, target, sizeof(target)), ENOENT);
  snprintf(path, sizeof(path), "/proc/%d", pid);
  int proc = OK(open(path, O_RDONLY | O_DIRECTORY));
  WAIT_SIGNAL(pid, SIGKILL);
  FAILS(open(path, O_RDONLY), ENOENT);
  CHECK(openat(proc, "status", O_RDONLY) == -1);
  CHECK(errno == ESRCH || errno == ENOENT);
  // Not for other users.
  snprintf(path, sizeof(path), "/proc/%d/fd", getpid());
  IN_CHILD(OK(setresuid(1000, 1000, 1000)); FAILS(open(path, O_RDONLY), EACCES);
           snprintf(path, sizeof(path), "/proc/%d/stat", getppid()); OK(open(path, O_RDONLY)));
  return 0;
}
