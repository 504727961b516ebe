#include "kernel/pid.h"

#include "kernel/base/check.h"
#include "kernel/control/containers.h"
#include "kernel/late.h"

namespace runsc::kernel {

constinit SpinLock g_tree_lock{LockRank::process_tree};

namespace {

constexpr size_t kBuckets = 1024;
using Bucket = boost::intrusive::slist<Task, boost::intrusive::constant_time_size<false>>;
struct Table {
  Bucket bucket[kBuckets];
  ThreadGroup::GroupList groups;
  uint32_t tasks = 0;
};
constinit Late<Table> g_table{};
constinit PidNamespace* g_first = nullptr;

}  // namespace

// The numbers of tasks that are in several namespaces, by namespace and number: the first namespace too.
struct NestedTable {
  static NestedPid::Slot*& bucket(const PidNamespace& ns, int32_t number) REQUIRES(g_tree_lock) {
    static constinit NestedPid::Slot* buckets[kBuckets] = {};
    return buckets[(static_cast<uint32_t>(number) + ns.inode_number() * 31) % kBuckets];
  }
  // Who has the number.
  static NestedPid* find(const PidNamespace& ns, int32_t number) REQUIRES(g_tree_lock) {
    for (NestedPid::Slot* s = bucket(ns, number); s; s = s->next)
      if (s->ns == &ns && s->number == number && !s->pid->gone_) return s->pid;
    return nullptr;
  }
  // Who has it, or had it last.
  static NestedPid* recall(int32_t id) REQUIRES(g_tree_lock) {
    for (NestedPid::Slot* s = bucket(*g_first, id); s; s = s->next)
      if (s->ns == g_first && s->number == id) return s->pid;
    return nullptr;
  }
  static void put(NestedPid& pid, uint32_t level, int32_t number) REQUIRES(g_tree_lock) {
    NestedPid::Slot& slot = pid.slots_[level];
    slot.number = number;
    NestedPid::Slot*& head = bucket(*slot.ns, number);
    slot.next = std::exchange(head, &slot);
  }
  // The numbers stay readable for who still holds the task.
  static void take_out(NestedPid& pid) REQUIRES(g_tree_lock) {
    for (NestedPid::Slot& slot : pid.slots_) {
      if (slot.number == 0) continue;
      NestedPid::Slot** at = &bucket(*slot.ns, slot.number);
      while (*at != &slot) at = &(*at)->next;
      *at = slot.next;
    }
  }
  static int32_t number(const NestedPid& pid, uint32_t level) { return pid.slots_[level].number; }
  static uint32_t levels(const NestedPid& pid) { return static_cast<uint32_t>(pid.slots_.size()); }
  static PidNamespace& ns_at(NestedPid& pid, uint32_t level) {
    PidNamespace* ns = pid.ns_.get();
    while (ns->level() > level) ns = ns->parent();
    return *ns;
  }
  static Task*& task(NestedPid& pid) { return pid.task_; }
  // The table holds a count while anybody uses the numbers.
  static void use(NestedPid& pid) REQUIRES(g_tree_lock) {
    if (pid.uses_++ != 0) return;
    if (!pid.gone_) return pid.ref();
    // By a thread that executes, and takes its leader's number.
    pid.gone_ = false;
    drop_remembered(pid);
  }
  static void unuse(NestedPid& pid) REQUIRES(g_tree_lock) {
    DCHECK(pid.uses_ > 0, "a number is given back that nobody uses");
    if (--pid.uses_ != 0) return;
    pid.gone_ = true;
    NestedPid*& place = remembered()[next_remembered_++ % kRemembered];
    if (NestedPid* oldest = std::exchange(place, &pid)) {
      take_out(*oldest);
      oldest->unref();
    }
  }
  // The number is given anew: who had it is known by it no more.
  static void forget(int32_t id) REQUIRES(g_tree_lock) {
    if (next_remembered_ == 0) return;
    NestedPid* pid = recall(id);
    if (!pid || !pid->gone_) return;
    drop_remembered(*pid);
    take_out(*pid);
    pid->unref();
  }

 private:
  static constexpr size_t kRemembered = 1024;
  static void drop_remembered(NestedPid& pid) REQUIRES(g_tree_lock) {
    for (size_t i = 0; i < kRemembered; ++i)
      if (remembered()[i] == &pid) remembered()[i] = nullptr;
  }
  static NestedPid** remembered() {
    static constinit NestedPid* places[kRemembered] = {};
    return places;
  }
  static inline constinit size_t next_remembered_ GUARDED_BY(g_tree_lock) = 0;
};

namespace {

bool in_use(const PidNamespace& ns, int32_t n) REQUIRES(g_tree_lock) {
  if (!ns.is_first()) return NestedTable::find(ns, n);
  if (pid_find_locked(n)) return true;
  if (!ns.wrapped) return false;
  for (ThreadGroup& g : g_table->groups)
    if (g.pgid == n || g.sid == n) return true;
  return false;
}

Result<int32_t> free_number(PidNamespace& ns) REQUIRES(g_tree_lock) {
  for (int32_t tries = 0; tries < kPidMax; ++tries) {
    if (++ns.last >= kPidMax) {
      ns.last = 300;  // the low numbers stay with daemons
      ns.wrapped = true;
    }
    if (!in_use(ns, ns.last)) return ns.last;
  }
  return Errno::again;
}

Result<int32_t> number_for_new(PidNamespace& ns, int32_t wanted) REQUIRES(g_tree_lock) {
  if (ns.ended) return Errno::nomem;
  if (wanted == 0) return free_number(ns);
  if (wanted < 1 || wanted >= kPidMax || (wanted != 1 && !ns.init)) return Errno::inval;
  ns.wrapped = true;  // it may be a group's or a session's still, or become another's before its turn
  if (in_use(ns, wanted)) return Errno::exist;
  return wanted;
}

Result<void> allocate_nested(Task& task, NestedPid& pid, std::span<const int32_t> wanted)
    REQUIRES(g_tree_lock) {
  const uint32_t levels = NestedTable::levels(pid);
  for (uint32_t level = levels; level-- > 0;) {
    const uint32_t place = levels - 1 - level;
    PidNamespace& ns = NestedTable::ns_at(pid, level);
    const int32_t number = TRY(number_for_new(ns, place < wanted.size() ? wanted[place] : 0));
    if (level == 0) NestedTable::forget(number);
    NestedTable::put(pid, level, number);
  }
  TaskInternals::tid(task) = NestedTable::number(pid, 0);
  TaskInternals::own_tid(task) = pid.own_number();
  return {};
}

void use_id(int32_t id) REQUIRES(g_tree_lock) {
  if (NestedPid* pid = id ? NestedTable::find(*g_first, id) : nullptr) NestedTable::use(*pid);
}
void unuse_id(int32_t id) REQUIRES(g_tree_lock) {
  if (NestedPid* pid = id ? NestedTable::find(*g_first, id) : nullptr) NestedTable::unuse(*pid);
}

// A task came to its namespaces, or left them.
void count_in(Task& task, uint32_t change) REQUIRES(g_tree_lock) {
  PidNamespace* ns = &task.pid_namespace();
  for (; ns; ns = ns->parent()) {
    ns->tasks += change;
    if (change != 1) ns->left.wake_all();
  }
}

}  // namespace

void pid_init() {
  g_table.init();
  Result<Ref<PidNamespace>> first = PidNamespace::create(nullptr, {});
  CHECK(first.has_value(), "no memory for the first PID namespace");
  g_first = first->leak();
}

PidNamespace& first_pid_namespace() { return *g_first; }

Result<void> pid_allocate_locked(Task& task, std::span<const int32_t> wanted) {
  if (NestedPid* pid = task.nested_pid()) {
    Result<void> allocated = allocate_nested(task, *pid, wanted);
    if (!allocated) {
      NestedTable::take_out(*pid);
      // Who is first there next is init even so.
      if (PidNamespace& ns = pid->ns(); !ns.init && !ns.ended) ns.last = 0;
    }
    return allocated;
  }
  TaskInternals::tid(task) = TaskInternals::own_tid(task) =
      TRY(number_for_new(*g_first, wanted.empty() ? 0 : wanted[0]));
  NestedTable::forget(task.tid());
  return {};
}

void pid_insert_locked(Task& task) {
  task.ref();
  g_table->bucket[static_cast<uint32_t>(task.tid()) % kBuckets].push_front(task);
  ++g_table->tasks;
  if (NestedPid* pid = task.nested_pid()) {
    NestedTable::use(*pid);
    NestedTable::task(*pid) = &task;
  }
  if (Container* container = task.group().container.get())
    container->peak_tasks = std::max(container->peak_tasks, ++container->tasks);
  count_in(task, 1);
}

void pid_remove_locked(Task& task) {
  Bucket& b = g_table->bucket[static_cast<uint32_t>(task.tid()) % kBuckets];
  b.erase(b.iterator_to(task));
  --g_table->tasks;
  if (NestedPid* pid = task.nested_pid()) {
    NestedTable::task(*pid) = nullptr;
    NestedTable::unuse(*pid);
  }
  if (Container* container = task.group().container.get()) --container->tasks;
  count_in(task, ~0u);
}

void set_group_and_session_locked(ThreadGroup& group, int32_t pgid, int32_t sid) {
  const int32_t old_pgid = group.pgid.exchange(pgid), old_sid = group.sid.exchange(sid);
  use_id(pgid);
  use_id(sid);
  unuse_id(old_pgid);
  unuse_id(old_sid);
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

int32_t number_in_locked(const PidNamespace& ns, int32_t id) {
  if (ns.is_first() || id <= 0) return id;
  NestedPid* pid = NestedTable::recall(id);
  return pid ? pid->number_in(ns) : 0;
}

int32_t number_in(const PidNamespace& ns, int32_t id) {
  if (ns.is_first() || id <= 0) return id;
  LockGuard guard(g_tree_lock);
  return number_in_locked(ns, id);
}

int32_t id_of_locked(const PidNamespace& ns, int32_t number) {
  if (ns.is_first() || number <= 0) return number;
  NestedPid* pid = NestedTable::find(ns, number);
  return pid ? NestedTable::number(*pid, 0) : 0;
}

int32_t id_of(const PidNamespace& ns, int32_t number) {
  if (ns.is_first() || number <= 0) return number;
  LockGuard guard(g_tree_lock);
  return id_of_locked(ns, number);
}

int32_t number_for(const Task& viewer, int32_t id) { return number_in(viewer.pid_namespace(), id); }

int32_t id_meant_by(const Task& viewer, int32_t number) { return id_of(viewer.pid_namespace(), number); }

Ref<Task> find_task(const Task& viewer, int32_t number) {
  const PidNamespace& ns = viewer.pid_namespace();
  if (ns.is_first()) return find_task(number);
  LockGuard guard(g_tree_lock);
  NestedPid* pid = NestedTable::find(ns, number);
  Task* t = pid ? NestedTable::task(*pid) : nullptr;
  return t ? Ref<Task>(*t) : nullptr;
}

void show_numbers_locked(int32_t id, const PidNamespace& ns, TextSink& out) {
  NestedPid* pid = NestedTable::find(*g_first, id);
  const int32_t here = number_in_locked(ns, id);
  format(out, "\t{}", here);
  if (!pid || here == 0) return;
  for (uint32_t level = ns.level() + 1; level < NestedTable::levels(*pid); ++level)
    format(out, "\t{}", NestedTable::number(*pid, level));
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

int32_t last_pid(PidNamespace& ns) {
  LockGuard guard(g_tree_lock);
  return ns.last;
}

void set_last_pid(PidNamespace& ns, int32_t number) {
  LockGuard guard(g_tree_lock);
  // What lies between may be taken still.
  if (number < ns.last) ns.wrapped = true;
  ns.last = number;
}

NumberedGroup next_group_in(const PidNamespace& ns, int32_t from) {
  LockGuard guard(g_tree_lock);
  ThreadGroup* best = nullptr;
  int32_t best_number = 0;
  for (ThreadGroup& g : g_table->groups) {
    const int32_t number = number_in_locked(ns, g.pid);
    if (number > 0 && number >= from && (!best || number < best_number)) best = &g, best_number = number;
  }
  if (!best) return {};
  return {Ref<ThreadGroup>(*best), best_number};
}

NumberedTask next_thread_in(const PidNamespace& ns, ThreadGroup& group, int32_t from) {
  LockGuard guard(g_tree_lock);
  Task* best = nullptr;
  int32_t best_number = 0;
  for (Task* t = group.threads; t; t = t->next_thread) {
    const int32_t number = number_in_locked(ns, t->tid());
    if (number > 0 && number >= from && (!best || number < best_number)) best = t, best_number = number;
  }
  if (!best) return {};
  return {Ref<Task>(*best), best_number};
}

Ref<ThreadGroup> next_group(int32_t from) { return next_group_in(*g_first, from).group; }

Ref<Task> next_thread_of(ThreadGroup& group, int32_t from_tid) {
  return next_thread_in(*g_first, group, from_tid).task;
}

}  // namespace runsc::kernel
