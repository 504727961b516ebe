// A static program at fixed addresses: loader, TLS, stdio, threads.
#include <elf.h>
#include <sys/auxv.h>

#include "abi.h"

static __thread int g_local = 41;
static char g_zero[100000];
static int g_data = 7;

static void* thread(void* arg) {
  CHECK_EQ(g_local, 41);
  g_local = 5;
  return arg;
}

int main(void) {
  CHECK_EQ(getauxval(AT_BASE), 0);
#ifdef __PIE__
  CHECK((unsigned long)&main > 0x10000000000UL);
#else
  CHECK((unsigned long)&main < 0x10000000UL);
#endif
  for (size_t i = 0; i < sizeof(g_zero); i += 1000) CHECK_EQ(g_zero[i], 0);
  CHECK_EQ(g_data, 7);
  g_local++;
  pthread_t id;
  ZERO(pthread_create(&id, NULL, thread, &g_data));
  void* result;
  ZERO(pthread_join(id, &result));
  CHECK_EQ(result, &g_data);
  CHECK_EQ(g_local, 42);
  char* text = malloc(1 << 20);
  memset(text, 1, 1 << 20);
  free(text);
  IN_CHILD(CHECK_EQ(g_local, 42); g_data = 8);
  CHECK_EQ(g_data, 7);
  return 0;
}
