#include "kernel/pid.h"

#include "kernel/late.h"

namespace runsc::kernel {

constinit SpinLock g_tree_lock{LockRank::process_tree};

namespace {

constexpr size_t kBuckets = 1024;
using Bucket = boost::intrusive::slist<Task, boost::intrusive::constant_time_size<false>>;
struct Table {
  Bucket bucket[kBuckets];
  ThreadGroup::GroupList groups;
  int32_t last = 0;
  bool wrapped = false;
  uint32_t tasks = 0;
};
constinit Late<Table> g_table{};

bool in_use(int32_t n) REQUIRES(g_tree_lock) {
  if (pid_find_locked(n)) return true;
  if (!g_table->wrapped) return false;
  for (ThreadGroup& g : g_table->groups)
    if (g.pgid == n || g.sid == n) return true;
  return false;
}

}  // namespace

void pid_init() { g_table.init(); }

Result<int32_t> pid_allocate_locked() {
  for (int32_t tries = 0; tries < kPidMax; ++tries) {
    if (++g_table->last >= kPidMax) {
      g_table->last = 300;  // the low numbers stay with daemons
      g_table->wrapped = true;
    }
    if (!in_use(g_table->last)) return g_table->last;
  }
  return Errno::again;
}

void pid_insert_locked(Task& task) {
  task.ref();
  g_table->bucket[static_cast<uint32_t>(task.tid()) % kBuckets].push_front(task);
  ++g_table->tasks;
}

void pid_remove_locked(Task& task) {
  Bucket& b = g_table->bucket[static_cast<uint32_t>(task.tid()) % kBuckets];
  b.erase(b.iterator_to(task));
  --g_table->tasks;
}

Task* pid_find_locked(int32_t tid) {
  for (Task& t : g_table->bucket[static_cast<uint32_t>(tid) % kBuckets])
    if (t.tid() == tid) return &t;
  return nullptr;
}

Ref<Task> find_task(int32_t tid) {
  LockGuard guard(g_tree_lock);
  Task* t = pid_find_locked(tid);
  return t ? Ref<Task>(*t) : nullptr;
}

Ref<ThreadGroup> find_group(int32_t pid) {
  LockGuard guard(g_tree_lock);
  Task* t = pid_find_locked(pid);
  return t && t->group().pid == pid ? Ref<ThreadGroup>(t->group()) : nullptr;
}

ThreadGroup& init_group() {
  LockGuard guard(g_tree_lock);
  return g_table->groups.front();  // the first, and it is never reaped
}

ThreadGroup::GroupList& all_groups() { return g_table->groups; }

bool process_group_exists_locked(int32_t pgid, int32_t sid) {
  for (ThreadGroup& g : g_table->groups)
    if (g.pgid == pgid && g.sid == sid) return true;
  return false;
}

uint32_t task_count() {
  LockGuard guard(g_tree_lock);
  return g_table->tasks;
}

int32_t last_pid() {
  LockGuard guard(g_tree_lock);
  return g_table->last;
}

Ref<ThreadGroup> next_group(int32_t from) {
  LockGuard guard(g_tree_lock);
  ThreadGroup* best = nullptr;
  for (ThreadGroup& g : g_table->groups)
    if (g.pid >= from && (!best || g.pid < best->pid)) best = &g;
  return best ? Ref<ThreadGroup>(*best) : nullptr;
}

Ref<Task> next_thread_of(ThreadGroup& group, int32_t from_tid) {
  LockGuard guard(g_tree_lock);
  Task* best = nullptr;
  for_each_thread_locked(group, [&](Task& t) {
    if (t.tid() >= from_tid && (!best || t.tid() < best->tid())) best = &t;
  });
  return best ? Ref<Task>(*best) : nullptr;
}

}  // namespace runsc::kernel
