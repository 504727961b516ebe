// sendfile(2), copy_file_range(2), splice(2), tee(2), vmsplice(2).
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "abi.h"

static char g_text[64];

static const char* text_of(const char* path) {
  abi_get(path, g_text, sizeof(g_text));
  return g_text;
}

int main(void) {
  abi_scratch();
  abi_put("in", "0123456789");
  int in = OK(open("in", O_RDONLY)), out = OK(open("out", O_RDWR | O_CREAT, 0644));
  off_t at = 3;
  CHECK_EQ(sendfile(out, in, &at, 4), 4);
  CHECK_EQ(at, 7);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
  CHECK_STR(text_of("out"), "3456");
  CHECK_EQ(sendfile(out, in, NULL, 100), 10);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
  CHECK_EQ(sendfile(out, in, NULL, 100), 0);
  CHECK_STR(text_of("out"), "34560123456789");
  int fds[2];
  OK(pipe(fds));
  at = 0;
  CHECK_EQ(sendfile(fds[1], in, &at, 5), 5);
  char buffer[32];
  CHECK_EQ(read(fds[0], buffer, 32), 5);
  FAILS(sendfile(out, fds[0], &at, 5), ESPIPE);
  FAILS(sendfile(in, out, NULL, 5), EBADF);
  FAILS(sendfile(999, in, NULL, 5), EBADF);
  FAILS(sendfile(out, in, (void*)8, 5), EFAULT);
  at = -1;
  FAILS(sendfile(out, in, &at, 5), EINVAL);

  OK(ftruncate(out, 0));
  OK(lseek(out, 0, SEEK_SET));
  off_t from = 2, to = 1;
  CHECK_EQ(copy_file_range(in, &from, out, &to, 3, 0), 3);
  CHECK_EQ(from, 5);
  CHECK_EQ(to, 4);
  CHECK_EQ(lseek(out, 0, SEEK_CUR), 0);
  CHECK_EQ(pread(out, buffer, 32, 0), 4);
  CHECK_EQ(memcmp(buffer, "\000234", 4), 0);
  OK(lseek(in, 0, SEEK_SET));
  CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 10);
  CHECK_EQ(lseek(out, 0, SEEK_CUR), 10);
  CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 0);
  FAILS(copy_file_range(in, NULL, out, NULL, 5, 1), EINVAL);
  from = 0;
  to = 2;
  FAILS(copy_file_range(out, &from, out, &to, 5, 0), EINVAL);  // overlap
  to = 8;
  from = 0;
  CHECK_EQ(copy_file_range(out, &from, out, &to, 5, 0), 5);
  FAILS(copy_file_range(out, NULL, in, NULL, 5, 0), EBADF);
  FAILS(copy_file_range(fds[0], NULL, out, NULL, 5, 0), EINVAL);
  FAILS(copy_file_range(OK(open(".", O_RDONLY)), NULL, out, NULL, 5, 0), EISDIR);

  // splice: one end must be a pipe.
  OK(lseek(in, 0, SEEK_SET));
  loff_t place = 4;
  CHECK_EQ(splice(in, &place, fds[1], NULL, 3, 0), 3);
  CHECK_EQ(place, 7);
  CHECK_EQ(splice(in, NULL, fds[1], NULL, 2, 0), 2);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 2);
  int other[2];
  OK(pipe(other));
  CHECK_EQ(tee(fds[0], other[1], 100, 0), 5);
  CHECK_EQ(read(other[0], buffer, 32), 5);
  CHECK_EQ(memcmp(buffer, "45601", 5), 0);
  OK(ftruncate(out, 0));
  place = 0;
  CHECK_EQ(splice(fds[0], NULL, out, &place, 4, 0), 4);
  CHECK_EQ(splice(fds[0], NULL, other[1], NULL, 10, 0), 1);
  CHECK_EQ(read(other[0], buffer, 32), 1);
  CHECK_STR(text_of("out"), "4560");
  FAILS(splice(in, NULL, out, NULL, 5, 0), EINVAL);
  FAILS(splice(fds[0], NULL, fds[1], NULL, 5, 0), EINVAL);  // into itself
  FAILS(splice(fds[0], &place, out, NULL, 5, 0), ESPIPE);
  FAILS(splice(fds[0], NULL, out, NULL, 5, SPLICE_F_NONBLOCK), EAGAIN);
  FAILS(splice(in, NULL, fds[1], NULL, 5, 0x100), EINVAL);
  FAILS(tee(fds[0], fds[1], 5, 0), EINVAL);
  struct iovec vec[2] = {{"abc", 3}, {"defg", 4}};
  CHECK_EQ(vmsplice(fds[1], vec, 2, 0), 7);
  CHECK_EQ(read(fds[0], buffer, 32), 7);
  CHECK_EQ(memcmp(buffer, "abcdefg", 7), 0);
  OK(close(fds[1]));
  CHECK_EQ(splice(fds[0], NULL, out, NULL, 5, 0), 0);  // the end
  return 0;
}
