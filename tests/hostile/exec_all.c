// Executes every file of a folder, broken as they are: `exec_all FOLDER`. Each must be refused, or run and
// end; one that runs on is killed after a second of CPU time or three of the clock, and must then be gone.
// Prints what became of them.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t g_child;

static void on_alarm(int signal) {
  (void)signal;
  if (g_child > 0) kill(g_child, SIGKILL);
}

static void limit(int resource, rlim_t value) {
  struct rlimit both = {value, value};
  setrlimit(resource, &both);
}

static void child(const char* path) {
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, 1);
  limit(RLIMIT_AS, 2UL << 30);
  limit(RLIMIT_FSIZE, 1 << 20);
  setpgid(0, 0);
  char* args[] = {(char*)path, NULL};
  char* env[] = {"A=1", NULL};
  execve(path, args, env);
  _exit(200 + (errno == ENOEXEC));
}

static int compare(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }

int main(int argc, char** argv) {
  DIR* dir = argc == 2 && chdir(argv[1]) == 0 ? opendir(".") : NULL;
  if (!dir) {
    fprintf(stderr, "usage: exec_all FOLDER\n");
    return 2;
  }
  char* names[10000];
  int count = 0, refused = 0, ended = 0, died = 0, killed = 0;
  for (struct dirent* entry; count < 10000 && (entry = readdir(dir));) {
    if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
  }
  qsort(names, count, sizeof(names[0]), compare);
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  for (int i = 0; i < count; i++) {
    char path[300];
    snprintf(path, sizeof(path), "./%s", names[i]);
    printf("%s: ", names[i]);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) child(path);
    if (pid < 0) {
      perror("fork");
      return 1;
    }
    g_child = pid;
    alarm(3);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    g_child = 0;
    alarm(0);
    kill(-pid, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) >= 200) {
      printf("refused\n");
      refused++;
    } else if (WIFEXITED(status)) {
      printf("exit %d\n", WEXITSTATUS(status));
      ended++;
    } else {
      printf("signal %d\n", WTERMSIG(status));
      WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU ? killed++ : died++;
    }
    fflush(stdout);
  }
  printf("%d files: %d refused, %d ended, %d died, %d killed\n", count, refused, ended, died, killed);
  return 0;
}
