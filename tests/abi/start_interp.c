// The dynamic loader called by hand, with and without a library path; environment of the loader.
#include <dlfcn.h>
#include <link.h>

#include "abi.h"

static const char kLoader[] = "/lib64/ld-linux-x86-64.so.2";

static int count(struct dl_phdr_info* info, size_t size, void* data) {
  (void)info;
  (void)size;
  ++*(int*)data;
  return 0;
}

int main(int argc, char** argv) {
  if (argc > 1) return 66;
  pid_t pid = FORK({
    char* args[] = {(char*)kLoader, argv[0], "child", NULL};
    OK(execv(kLoader, args));
  });
  WAIT_EXIT(pid, 66);
  pid = FORK({
    char* args[] = {(char*)kLoader, "--verify", argv[0], NULL};
    OK(execv(kLoader, args));
  });
  WAIT_EXIT(pid, 0);
  pid = FORK({
    OK(setenv("LD_BIND_NOW", "1", 1));
    char* args[] = {argv[0], "child", NULL};
    OK(execv(argv[0], args));
  });
  WAIT_EXIT(pid, 66);

  // Libraries by name, opened and closed as one likes.
  int before = 0, with = 0, after = 0;
  dl_iterate_phdr(count, &before);
  void* math = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
  CHECK(math != NULL);
  double (*cosine)(double) = (double (*)(double))dlsym(math, "cos");
  CHECK(cosine != NULL);
  double x = cosine(0.0);
  CHECK(x > 0.999 && x < 1.001);
  dl_iterate_phdr(count, &with);
  CHECK(with > before);
  for (int i = 0; i < 5; i++) {
    void* again = dlopen("libm.so.6", RTLD_LAZY);
    CHECK_EQ(again, math);
    ZERO(dlclose(again));
  }
  ZERO(dlclose(math));
  dl_iterate_phdr(count, &after);
  CHECK_EQ(after, before);
  CHECK_EQ(dlopen("libmissing.so.9", RTLD_NOW), NULL);
  CHECK(strstr(dlerror(), "libmissing.so.9") != NULL);
  // Relocated data of the program itself: reached through the table of symbols.
  CHECK_EQ(dlsym(RTLD_DEFAULT, "getpid") != NULL, 1);
  return 0;
}
