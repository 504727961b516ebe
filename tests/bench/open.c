// open, read and close of a small file.
#include <fcntl.h>

#include "bench.h"

static const char *file = "/etc/hostname";

static void run(long ops) {
  char text[64];
  for (long i = 0; i < ops; i++) {
    int fd = open(file, O_RDONLY);
    if (fd < 0) die(file);
    if (read(fd, text, sizeof text) < 0) die("read");
    close(fd);
  }
}

int main(int argc, char **argv) {
  if (access(file, R_OK) != 0) file = "/etc/passwd";
  return bench(argc, argv, "open", run);
}
