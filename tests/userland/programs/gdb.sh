# A breakpoint, a backtrace, steps, a watch on what a thread does, and a core file.
set -e
cd /tmp
cat >t.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static void *work(void *p) { *(int *)p = fib(10); return p; }
int main(int argc, char **argv) {
  int r = 0;
  pthread_t t;
  pthread_create(&t, 0, work, &r);
  pthread_join(t, 0);
  printf("%d\n", r);
  if (argc > 1) abort();
  return 0;
}
C
gcc -g -O0 -o t t.c -pthread
gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'break fib if n == 1' -ex run -ex bt -ex 'info args' -ex step -ex finish -ex 'delete' -ex cont ./t 2>&1 |
  grep -E "^#|^n = |hit Breakpoint|Value returned|^[0-9]+$|exited normally" | sed -e 's/0x[0-9a-f]*/ADDR/g' -e 's/process [0-9]*/process/'
