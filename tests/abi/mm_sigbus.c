// File mappings beyond the end of the file: SIGBUS with its address, also after truncation; EFAULT in calls.
#include <setjmp.h>

#include "abi.h"

static sigjmp_buf g_back;
static volatile int g_signal, g_code;
static char* volatile g_address;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  g_signal = signal;
  g_code = info->si_code;
  g_address = info->si_addr;
  siglongjmp(g_back, 1);
}

static int touch(char* p, bool write) {
  g_signal = 0;
  if (sigsetjmp(g_back, 1) == 0) {
    if (write) {
      *(volatile char*)p = 'w';
    } else {
      (void)*(volatile char*)p;
    }
  }
  if (g_signal) {
    CHECK_EQ(g_address, p);
    CHECK_EQ(g_code, BUS_ADRERR);
  }
  return g_signal;
}

int main(void) {
  abi_scratch();
  abi_handle_info(SIGBUS, handler, 0);
  abi_handle_info(SIGSEGV, handler, 0);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 4096 + 100));
  for (int kind = 0; kind < 2; kind++) {
    int flags = kind ? MAP_SHARED : MAP_PRIVATE;
    char* p = OK(mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, flags, fd, 0));
    CHECK_EQ(touch(p + 4096 + 200, false), 0);
    CHECK_EQ(touch(p + 2 * 4096, false), SIGBUS);
    CHECK_EQ(touch(p + 2 * 4096 + 5, true), SIGBUS);
    CHECK_EQ(touch(p + 3 * 4096, false), SIGBUS);
    int zero = OK(open("/dev/zero", O_RDONLY));
    FAILS(read(zero, p + 3 * 4096, 4096), EFAULT);
    OK(close(zero));
    // It grows: there it is.
    OK(ftruncate(fd, 4 * 4096));
    CHECK_EQ(touch(p + 2 * 4096, false), 0);
    CHECK_EQ(touch(p + 3 * 4096, true), 0);
    CHECK_EQ(p[3 * 4096], 'w');
    // It shrinks: gone again, private copies included; and what lay beyond comes back as zeros.
    OK(ftruncate(fd, 4096 + 100));
    CHECK_EQ(touch(p + 2 * 4096, false), SIGBUS);
    CHECK_EQ(touch(p + 3 * 4096, false), SIGBUS);
    OK(ftruncate(fd, 4 * 4096));
    CHECK_EQ(touch(p + 3 * 4096, false), 0);
    CHECK_EQ(p[3 * 4096], 0);
    // The rest of a cut page is wiped.
    CHECK_EQ(pwrite(fd, "abc", 3, 4096 + 150), 3);
    CHECK_EQ(p[4096 + 150], 'a');
    OK(ftruncate(fd, 4096 + 100));
    CHECK_EQ(p[4096 + 150], 0);
    OK(munmap(p, 4 * 4096));
  }
  // An empty file has no page at all.
  OK(ftruncate(fd, 0));
  char* p = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  CHECK_EQ(touch(p, false), SIGBUS);
  WAIT_SIGNAL(FORK({
                abi_handle(SIGBUS, SIG_DFL, 0);
                *(volatile char*)p = 1;
              }),
              SIGBUS);
  // A mapping far beyond.
  p = OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 1L << 30));
  CHECK_EQ(touch(p, false), SIGBUS);
  return 0;
}
