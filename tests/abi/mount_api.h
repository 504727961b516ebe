// The mount API with descriptors: its calls and their numbers, wherever libc stands.
#pragma once

#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "abi.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static inline int api_fsopen(const char* type, unsigned flags) { return (int)syscall(430, type, flags); }
static inline int api_fsconfig(int fd, unsigned command, const char* key, const void* value, int aux) {
  return (int)syscall(431, fd, command, key, value, aux);
}
static inline int api_fsmount(int fd, unsigned flags, unsigned attr) {
  return (int)syscall(432, fd, flags, attr);
}
static inline int api_fspick(int fd, const char* path, unsigned flags) {
  return (int)syscall(433, fd, path, flags);
}
static inline int api_open_tree(int fd, const char* path, unsigned flags) {
  return (int)syscall(428, fd, path, flags);
}
static inline int api_move_mount(int from, const char* source, int to, const char* target, unsigned flags) {
  return (int)syscall(429, from, source, to, target, flags);
}
static inline int api_setattr(int fd, const char* path, unsigned flags, const void* attr, size_t size) {
  return (int)syscall(442, fd, path, flags, attr, size);
}

// A tree of its own to play with; the scratch directory is on a tmpfs that is private.
static inline void api_scratch(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  const char* base = abi_scratch();
  OK(mount("none", base, "tmpfs", 0, "mode=755"));
  OK(chdir(base));
}
// The options of the mount at a place, as mountinfo shows them. False: nothing is mounted there.
static inline bool api_options(const char* name, char* out, size_t size) {
  static char text[65536];
  char place[512], want[512];
  CHECK(getcwd(want, 256) != NULL);
  snprintf(want + strlen(want), 200, "/%s", name);
  abi_get("/proc/self/mountinfo", text, sizeof(text));
  bool found = false;
  char* state;
  for (char* line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
    char options[128];
    if (sscanf(line, "%*d %*d %*s %*s %511s %127s", place, options) != 2 || strcmp(place, want)) continue;
    found = true;
    snprintf(out, size, "%s", options);
  }
  return found;
}
