// What the programs on inotify(7) share: one instance, and its events in turn.
#pragma once

#include <sys/inotify.h>

#include "abi.h"

static int g_fd;
static char g_buffer[65536] __attribute__((aligned(8)));
static ssize_t g_have, g_at;

static void expect(int watch, uint32_t mask, const char* name) {
  if (g_at >= g_have) {
    g_have = OK(read(g_fd, g_buffer, sizeof(g_buffer)));
    g_at = 0;
  }
  struct inotify_event* event = (void*)(g_buffer + g_at);
  g_at += sizeof(*event) + event->len;
  if (event->mask != mask || event->wd != watch || strcmp(event->len ? event->name : "", name) != 0)
    FAIL("expected %d 0x%x \"%s\", got %d 0x%x \"%s\"", watch, mask, name, event->wd, event->mask,
         event->len ? event->name : "");
  CHECK_EQ(event->len % 16, 0);
}

__attribute__((unused)) static void none(void) {
  CHECK_EQ(g_at, g_have);
  FAILS(read(g_fd, g_buffer, sizeof(g_buffer)), EAGAIN);
}

__attribute__((unused)) static int watch(const char* path, uint32_t mask) {
  return OK(inotify_add_watch(g_fd, path, mask));
}

__attribute__((unused)) static void both(int d, int f, uint32_t mask, const char* name) {
  expect(d, mask, name);
  expect(f, mask, "");
}
