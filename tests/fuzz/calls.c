#include "calls.h"

static struct Rows (*const kTables[])(void) = {file_rows,   path_rows, event_rows,    memory_rows,
                                               signal_rows, task_rows, identity_rows, socket_rows,
                                               time_rows,   ipc_rows,  admin_rows,    mount_rows};

static unsigned weight_of(const struct Row* row, bool contained) {
  if (contained && row->flags & kNotLinux) return 0;
  return row->weight ? row->weight : 4;
}

static unsigned long sum(bool contained) {
  static unsigned long known[2];
  if (known[contained]) return known[contained];
  unsigned long all = 0;
  for (size_t t = 0; t < COUNT(kTables); t++) {
    struct Rows table = kTables[t]();
    for (size_t i = 0; i < table.count; i++) all += weight_of(&table.rows[i], contained);
  }
  return known[contained] = all;
}

const struct Row* draw_row(struct Call* c, bool contained) {
  unsigned long at = below(c, sum(contained));
  for (size_t t = 0;; t++) {
    struct Rows table = kTables[t]();
    for (size_t i = 0; i < table.count; i++) {
      unsigned weight = weight_of(&table.rows[i], contained);
      if (at < weight) return &table.rows[i];
      at -= weight;
    }
  }
}
