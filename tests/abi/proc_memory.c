// What /proc tells of the page allocator and of memory settings: buddyinfo, zoneinfo, pagetypeinfo, slabinfo,
// vmallocinfo, sys/vm (proc(5), proc_sys_vm(5)).
#include "abi.h"

static FILE* open_text(const char* path) {
  FILE* f = fopen(path, "re");
  if (!f) FAIL("%s", path);
  return f;
}

static unsigned long of_meminfo(const char* name) {
  char line[256], format[64];
  unsigned long value = 0;
  FILE* f = open_text("/proc/meminfo");
  snprintf(format, sizeof(format), "%s: %%lu kB", name);
  while (fgets(line, sizeof(line), f) && sscanf(line, format, &value) != 1) continue;
  fclose(f);
  return value;
}

// "Node 0, zone NAME", then how many blocks of 1, 2, 4... pages are free.
static void buddyinfo(void) {
  char line[512], zone[32];
  unsigned long pages = 0;
  FILE* f = open_text("/proc/buddyinfo");
  int zones = 0;
  for (; fgets(line, sizeof(line), f); zones++) {
    int node, at;
    CHECK_EQ(sscanf(line, "Node %d, zone %31s%n", &node, zone, &at), 2);
    int orders = 0, used;
    unsigned long count;
    for (const char* p = line + at; sscanf(p, "%lu%n", &count, &used) == 1; p += used) pages += count << orders++;
    CHECK_EQ(orders, 11);
  }
  fclose(f);
  CHECK(zones > 0);
  CHECK(pages > 0);
  CHECK(pages * 4 <= 2 * of_meminfo("MemTotal"));
}

static void zoneinfo(void) {
  char line[512];
  unsigned long value, free_pages = 0, managed = 0, start = ~0UL;
  int zones = 0, cpus = 0, cpu;
  FILE* f = open_text("/proc/zoneinfo");
  while (fgets(line, sizeof(line), f)) {
    if (strncmp(line, "Node 0, zone ", 13) == 0) zones++;
    if (sscanf(line, "  pages free %lu", &value) == 1) free_pages += value;
    if (sscanf(line, " managed %lu", &value) == 1) managed += value;
    if (sscanf(line, "  start_pfn: %lu", &value) == 1) start = value;
    if (sscanf(line, " cpu: %d", &cpu) == 1) cpus++;
  }
  fclose(f);
  CHECK(zones > 0);
  CHECK(free_pages > 0 && free_pages <= managed);
  CHECK(start != ~0UL);
  CHECK(cpus >= sysconf(_SC_NPROCESSORS_ONLN));
}

static bool has_line(const char* path, const char* start) {
  char line[512];
  bool found = false;
  FILE* f = open_text(path);
  while (fgets(line, sizeof(line), f)) found |= strncmp(line, start, strlen(start)) == 0;
  fclose(f);
  return found;
}

// For root alone.
static void secrets(void) {
  struct stat st;
  static const char* names[] = {"/proc/pagetypeinfo", "/proc/slabinfo", "/proc/vmallocinfo"};
  for (int i = 0; i < 3; i++) {
    OK(stat(names[i], &st));
    CHECK_EQ(st.st_mode, S_IFREG | 0400);
    CHECK_EQ(st.st_uid, 0);
  }
  if (geteuid() != 0) return;
  CHECK(has_line("/proc/pagetypeinfo", "Page block order: 9"));
  CHECK(has_line("/proc/pagetypeinfo", "Node    0, zone   Normal, type      Movable "));
  CHECK(has_line("/proc/slabinfo", "slabinfo - version: 2.1"));
  CHECK(has_line("/proc/slabinfo", "# name            <active_objs> <num_objs> <objsize>"));
  char line[512];
  unsigned long active = 0, all = 0, size = 0;
  FILE* f = open_text("/proc/slabinfo");
  while (fgets(line, sizeof(line), f))
    if (sscanf(line, "task_struct %lu %lu %lu", &active, &all, &size) == 3) break;
  fclose(f);
  CHECK(active > 0 && active <= all && size > 100);
  fclose(open_text("/proc/vmallocinfo"));
}

static long setting(const char* name) {
  char path[128], text[64];
  snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
  ssize_t n = abi_get(path, text, sizeof(text) - 1);
  if (n <= 0) FAIL("%s", path);
  text[n] = 0;
  char* end;
  long value = strtol(text, &end, 10);
  CHECK(end > text && (*end == '\n' || *end == '\t'));
  return value;
}

static void settings(void) {
  static const char* names[] = {
      "admin_reserve_kbytes", "dirty_background_bytes", "dirty_background_ratio", "dirty_bytes",
      "dirty_expire_centisecs", "dirty_ratio", "dirty_writeback_centisecs", "extfrag_threshold", "hugetlb_shm_group",
      "laptop_mode", "legacy_va_layout", "lowmem_reserve_ratio", "max_map_count", "min_free_kbytes", "mmap_min_addr",
      "nr_hugepages", "nr_overcommit_hugepages", "oom_dump_tasks", "oom_kill_allocating_task", "overcommit_kbytes",
      "overcommit_memory", "overcommit_ratio", "page-cluster", "panic_on_oom", "stat_interval", "swappiness",
      "user_reserve_kbytes", "vfs_cache_pressure", "watermark_boost_factor", "watermark_scale_factor",
      "zone_reclaim_mode"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) CHECK(setting(names[i]) >= 0);
  CHECK(setting("min_free_kbytes") > 0);
  CHECK(setting("overcommit_memory") <= 2);
}

int main(void) {
  buddyinfo();
  zoneinfo();
  secrets();
  settings();
  return 0;
}
