// One file seen by read, write, private and shared mappings, other descriptors and other processes: always
// the same.
#include <sys/uio.h>

#include "abi.h"

enum { kSize = 16 * 4096 };

int main(void) {
  abi_scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, kSize));
  unsigned char* map = OK(mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  unsigned char* view = OK(mmap(NULL, kSize, PROT_READ, MAP_SHARED, fd, 0));
  unsigned char* priv = OK(mmap(NULL, kSize, PROT_READ, MAP_PRIVATE, fd, 0));
  int other = OK(open("f", O_RDWR));
  unsigned char model[kSize];
  memset(model, 0, sizeof(model));
  unsigned seed = 99;
  for (int step = 0; step < 300; step++) {
    seed = seed * 1103515245 + 12345;
    int at = (seed >> 8) % (kSize - 600), size = (seed >> 20) % 500 + 1;
    unsigned char block[600];
    memset(block, step, sizeof(block));
    switch (step % 5) {
      case 0:
        CHECK_EQ(pwrite(fd, block, size, at), size);
        break;
      case 1:
        memset(map + at, step, size);
        break;
      case 2: {
        struct iovec vec[2] = {{block, size / 2}, {block, size - size / 2}};
        CHECK_EQ(pwritev(other, vec, 2, at), size);
        break;
      }
      case 3: {
        // From a mapping of the file into the file.
        memset(block, 0, sizeof(block));
        size = size / 2;
        memcpy(block, map + at, size);
        CHECK_EQ(pwrite(fd, map + at, size, at + size), size);
        memcpy(model + at + size, block, size);
        size = 0;
        break;
      }
      case 4:
        // And the other way round.
        CHECK_EQ(pread(fd, map + at, size, 0), size);
        memcpy(block, model, size);
        memmove(model + at, block, size);
        size = 0;
        break;
    }
    memset(model + at, step, size);
    int probe = (seed >> 4) % kSize;
    unsigned char c;
    CHECK_EQ(pread(other, &c, 1, probe), 1);
    CHECK_EQ(c, model[probe]);
    CHECK_EQ(view[probe], model[probe]);
    CHECK_EQ(priv[probe], model[probe]);
  }
  CHECK_EQ(memcmp(map, model, kSize), 0);
  CHECK_EQ(memcmp(priv, model, kSize), 0);
  unsigned char all[kSize];
  CHECK_EQ(pread(other, all, kSize, 0), kSize);
  CHECK_EQ(memcmp(all, model, kSize), 0);
  pid_t pid = FORK({
    int mine = OK(open("f", O_RDONLY));
    CHECK_EQ(pread(mine, all, kSize, 0), kSize);
    CHECK_EQ(memcmp(all, model, kSize), 0);
    CHECK_EQ(memcmp(view, model, kSize), 0);
    map[77] = 0xee;
  });
  WAIT_OK(pid);
  CHECK_EQ(view[77], 0xee);
  // Cut and grown under the mappings.
  OK(ftruncate(fd, 5000));
  OK(ftruncate(fd, kSize));
  CHECK_EQ(view[4999], model[4999]);
  for (int i = 5000; i < kSize; i += 611) CHECK_EQ(view[i], 0);
  // O_TRUNC by another.
  OK(close(OK(open("f", O_WRONLY | O_TRUNC))));
  OK(ftruncate(fd, kSize));
  CHECK_EQ(map[0], 0);
  // A name that now means another file does not matter to what is open.
  map[1] = 5;
  abi_put("g", "G");
  OK(rename("g", "f"));
  CHECK_EQ(pread(other, all, 2, 0), 2);
  CHECK_EQ(all[1], 5);
  return 0;
}
