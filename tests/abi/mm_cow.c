// Copy-on-write after fork: private is private, shared is shared, in every order of writing.
#include "abi.h"

static const int kRw = PROT_READ | PROT_WRITE;
enum { kPages = 64 };

static int sum(const char* p) {
  int total = 0;
  for (int i = 0; i < kPages; i++) total += p[i * 4096];
  return total;
}

int main(void) {
  abi_scratch();
  atomic_int* word = abi_shared(4096);
  char* p = OK(mmap(NULL, kPages * 4096, kRw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < kPages; i++) p[i * 4096] = 1;

  // The parent writes while the child lives, and the other way round.
  pid_t pid = FORK({
    abi_await(word, 1);
    CHECK_EQ(sum(p), kPages);
    for (int i = 0; i < kPages; i += 2) p[i * 4096] = 3;
    CHECK_EQ(sum(p), kPages * 2);
    atomic_store(word, 2);
    abi_await(word, 3);
    CHECK_EQ(sum(p), kPages * 2);
  });
  for (int i = 0; i < kPages; i++) p[i * 4096] = 2;
  atomic_store(word, 1);
  abi_await(word, 2);
  CHECK_EQ(sum(p), kPages * 2);
  for (int i = 0; i < kPages; i++) p[i * 4096] = 1;
  atomic_store(word, 3);
  WAIT_OK(pid);
  CHECK_EQ(sum(p), kPages);

  // Three generations.
  pid = FORK({
    p[0] = 10;
    IN_CHILD({
      CHECK_EQ(p[0], 10);
      p[0] = 20;
      IN_CHILD(CHECK_EQ(p[0], 20); p[0] = 30);
      CHECK_EQ(p[0], 20);
    });
    CHECK_EQ(p[0], 10);
  });
  WAIT_OK(pid);
  CHECK_EQ(p[0], 1);

  // System calls that write into such memory copy as well.
  int fds[2];
  OK(pipe(fds));
  CHECK_EQ(write(fds[1], "K", 1), 1);
  IN_CHILD(CHECK_EQ(read(fds[0], p, 1), 1); CHECK_EQ(p[0], 'K'));
  CHECK_EQ(p[0], 1);

  // Protection narrowed before and widened after.
  OK(mprotect(p, kPages * 4096, PROT_READ));
  pid = FORK({
    OK(mprotect(p, kPages * 4096, kRw));
    p[4096] = 77;
    CHECK_EQ(p[4096], 77);
  });
  WAIT_OK(pid);
  OK(mprotect(p, kPages * 4096, kRw));
  CHECK_EQ(p[4096], 1);
  p[4096] = 5;

  // A private mapping of a file: the copy is inherited, the file untouched.
  abi_put("f", "original");
  int fd = OK(open("f", O_RDWR));
  char* file = OK(mmap(NULL, 4096, kRw, MAP_PRIVATE, fd, 0));
  file[0] = 'P';
  IN_CHILD(CHECK_EQ(file[0], 'P'); file[1] = 'C');
  CHECK_EQ(memcmp(file, "Priginal", 8), 0);
  char text[16];
  abi_get("f", text, sizeof(text));
  CHECK_STR(text, "original");

  // Unmapping and discarding on one side.
  pid = FORK({
    OK(madvise(p, 8 * 4096, MADV_DONTNEED));
    CHECK_EQ(p[0], 0);
    OK(munmap(p, kPages * 4096));
  });
  WAIT_OK(pid);
  CHECK_EQ(p[0], 1);
  // What a child must not get, and what it gets empty.
  OK(madvise(p, 4096, MADV_DONTFORK));
  OK(madvise(p + 4096, 4096, MADV_WIPEONFORK));
  pid = FORK({
    CHECK_EQ(p[4096], 0);
    CHECK_EQ(p[8192], 1);
    *(volatile char*)p = 1;
  });
  WAIT_SIGNAL(pid, SIGSEGV);
  CHECK_EQ(p[4096], 5);
  // Much memory, many children at once.
  pid_t children[8];
  for (int c = 0; c < 8; c++) {
    children[c] = FORK({
      for (int i = 2; i < kPages; i++) p[i * 4096] = c;
      for (int i = 2; i < kPages; i++) CHECK_EQ(p[i * 4096], c);
    });
  }
  for (int c = 0; c < 8; c++) WAIT_OK(children[c]);
  for (int i = 2; i < kPages; i++) CHECK_EQ(p[i * 4096], 1);
  return 0;
}
