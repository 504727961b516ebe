// execve(2): limits of arguments and environment.
#include <sys/resource.h>

#include "abi.h"

int main(int argc, char** argv) {
  if (argc > 1) {
    // The child tells what it got.
    size_t total = 0;
    for (int i = 1; i < argc; i++) total += strlen(argv[i]);
    CHECK_EQ(argc - 1, atoi(getenv("COUNT")));
    CHECK_EQ(total, atoi(getenv("TOTAL")));
    return 33;
  }
  // One string is limited to 32 pages with its end.
  char* big = malloc(131072 + 1);
  memset(big, 'x', 131072);
  big[131071] = 0;
  char* env[] = {"COUNT=1", "TOTAL=131071", NULL};
  char* one[] = {argv[0], big, NULL};
  WAIT_EXIT(FORK(OK(execve(argv[0], one, env))), 33);
  big[131071] = 'x';
  big[131072] = 0;
  FAILS(execve(argv[0], one, env), E2BIG);
  char* bad_env[] = {big, NULL};
  char* plain[] = {argv[0], NULL};
  FAILS(execve(argv[0], plain, bad_env), E2BIG);

  // Many short strings are fine.
  static char* many[3003];
  many[0] = argv[0];
  for (int i = 1; i <= 3000; i++) many[i] = "0123456789";
  char* many_env[] = {"COUNT=3000", "TOTAL=30000", NULL};
  WAIT_EXIT(FORK(OK(execve(argv[0], many, many_env))), 33);

  // All together are limited to a quarter of the stack's limit, but no less than 32 pages.
  pid_t pid = FORK({
    struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = 8 << 20};
    OK(setrlimit(RLIMIT_STACK, &limit));
    big[50000] = 0;
    char* seven[] = {argv[0], big, big, big, big, big, big, NULL};
    FAILS(execve(argv[0], seven, env), E2BIG);
    char* two[] = {argv[0], big, big, NULL};
    char* two_env[] = {"COUNT=2", "TOTAL=100000", NULL};
    OK(execve(argv[0], two, two_env));
  });
  WAIT_EXIT(pid, 33);

  // Names of any length a path may have.
  char path[4200];
  memset(path, '/', sizeof(path));
  path[4095] = 0;
  FAILS(execve(path, plain, env), EACCES);  // a directory
  path[4095] = '/';
  path[4096] = 0;
  FAILS(execve(path, plain, env), ENAMETOOLONG);
  return 0;
}
