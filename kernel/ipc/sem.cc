#include "kernel/ipc/sem.h"

#include <algorithm>

#include "kernel/blocking.h"
#include "kernel/namespaces.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

int64_t now() { return realtime_ns() / 1'000'000'000; }

}  // namespace

IpcTable& sem_table(const Task& task) { return task.namespaces().ipc().semaphores(); }

Result<Ref<SemSet>> find_sem(const Task& task, int32_t id) {
  Ref<IpcObject> object = TRY(sem_table(task).find(id));
  return Ref<SemSet>(static_cast<SemSet&>(*object));
}

Result<Ref<SemSet>> SemSet::create(int32_t count) {
  Ref<SemSet> set = make_ref<SemSet>();
  if (!set) return Errno::nomem;
  TRY(set->semaphores_.reserve(static_cast<size_t>(count)));
  for (int32_t i = 0; i < count; ++i) TRY(set->semaphores_.push_back({}));
  LockGuard guard(set->lock);
  set->touch();
  return set;
}

void SemSet::touch() { change_time_ = now(); }

Result<void> SemSet::try_all(std::span<const SemOperation> operations, SemUndo* undo, int32_t pid,
                             size_t& blocking) {
  size_t done = 0;
  Result<void> result;
  for (; done < operations.size(); ++done) {
    const SemOperation& o = operations[done];
    Semaphore& s = semaphores_[o.number];
    int32_t value = s.value + o.change;
    if ((o.change == 0 && s.value != 0) || value < 0) {
      result = Errno::again;
    } else if (value > kSemVmx) {
      result = Errno::range;
    } else if (o.flags & kSemUndo) {
      int32_t adjust = undo->adjust[o.number] - o.change;
      if (adjust < -kSemVmx - 1 || adjust > kSemVmx) result = Errno::range;
    }
    if (!result) break;
    s.value = value;
    if (o.flags & kSemUndo) undo->adjust[o.number] = static_cast<int16_t>(undo->adjust[o.number] - o.change);
  }
  blocking = done;
  if (!result) {
    while (done > 0) {
      const SemOperation& o = operations[--done];
      semaphores_[o.number].value -= o.change;
      if (o.flags & kSemUndo)
        undo->adjust[o.number] = static_cast<int16_t>(undo->adjust[o.number] + o.change);
    }
    return result;
  }
  for (const SemOperation& o : operations) semaphores_[o.number].pid = pid;
  operation_time_ = now();
  return {};
}

void SemSet::count_waiter(const SemOperation& on, int by) {
  Semaphore& s = semaphores_[on.number];
  (on.change == 0 ? s.waiting_for_zero : s.waiting_to_take) += static_cast<uint32_t>(by);
}

// Each success may let another go on, also one that came before it.
void SemSet::wake() {
  for (auto it = sleepers_.begin(); it != sleepers_.end();) {
    Sleeper& s = *it;
    size_t blocking = 0;
    auto result = try_all(s.operations, s.undo, s.task.pid(), blocking);
    if (!result && result.error() == Errno::again && !(s.operations[blocking].flags & ipc_flag::nowait)) {
      count_waiter(s.waits_on, -1);
      s.waits_on = s.operations[blocking];
      count_waiter(s.waits_on, 1);
      ++it;
      continue;
    }
    bool changes = result && std::any_of(s.operations.begin(), s.operations.end(),
                                         [](const SemOperation& o) { return o.change != 0; });
    count_waiter(s.waits_on, -1);
    it = sleepers_.erase(it);
    s.error = result ? Errno{} : result.error();
    s.done = true;
    s.task.sched.unpark();
    if (changes) it = sleepers_.begin();
  }
}

Result<void> SemSet::operate(Task& task, std::span<const SemOperation> operations, SemUndo* undo,
                             uint64_t deadline_ns) {
  bool alters = false;
  for (const SemOperation& o : operations) {
    if (o.number >= semaphores_.size()) return Errno::fbig;
    alters |= o.change != 0;
  }
  Sleeper self(operations, undo, task);
  {
    LockGuard guard(lock);
    if (removed) return Errno::idrm;
    TRY(owner.check(task.creds(), alters ? 0222 : 0444));
    size_t blocking = 0;
    auto result = try_all(operations, undo, task.pid(), blocking);
    if (result) {
      if (alters) wake();
      return {};
    }
    if (result.error() != Errno::again) return result;
    if (operations[blocking].flags & static_cast<int16_t>(ipc_flag::nowait)) return Errno::again;
    self.waits_on = operations[blocking];
    count_waiter(self.waits_on, 1);
    sleepers_.push_back(self);
  }
  for (;;) {
    auto parked = park_interruptible(task, deadline_ns);
    LockGuard guard(lock);
    if (self.done) {
      if (self.error != Errno{}) return self.error;
      return {};
    }
    if (parked) continue;
    count_waiter(self.waits_on, -1);
    sleepers_.erase(sleepers_.iterator_to(self));
    return parked.error() == Errno::timedout ? Errno::again : Errno::intr;
  }
}

void SemSet::set(int32_t number, int32_t value, int32_t pid) {
  Semaphore& s = semaphores_[static_cast<size_t>(number)];
  s.value = value;
  s.pid = pid;
  for (SemUndo& u : undos_) u.adjust[static_cast<size_t>(number)] = 0;
  touch();
}

void SemSet::take_back(const SemUndo& undo, int32_t pid) {
  bool changed = false;
  for (size_t i = 0; i < semaphores_.size(); ++i) {
    if (undo.adjust[i] == 0) continue;
    semaphores_[i].value = std::clamp(semaphores_[i].value + undo.adjust[i], 0, kSemVmx);
    semaphores_[i].pid = pid;
    changed = true;
  }
  if (!changed) return;
  operation_time_ = now();
  wake();
}

void SemSet::destroy() {
  {
    LockGuard guard(lock);
    if (removed) return;
    removed = true;
    while (!sleepers_.empty()) {
      Sleeper& s = sleepers_.front();
      sleepers_.pop_front();
      s.error = Errno::idrm;
      s.done = true;
      s.task.sched.unpark();
    }
    // The entries stay with their processes, which find that the set is gone.
    while (!undos_.empty()) undos_.pop_front();
  }
  leave_table();
}

void set_sem_undo(Task& task, Ref<SemUndoList> list) {
  LockGuard tree(g_tree_lock);
  std::swap(task.sem_undo, list);  // the old one goes with the argument, without the lock
}

const void* sem_undo_identity(const Task& task) {
  LockGuard tree(g_tree_lock);
  return task.sem_undo.get();
}

Result<Ref<SemUndoList>> SemUndoList::create() {
  Ref<SemUndoList> list = make_ref<SemUndoList>();
  if (!list) return Errno::nomem;
  return list;
}

Result<SemUndo*> SemUndoList::entry(SemSet& set) {
  auto find = [&]() REQUIRES(lock_) -> SemUndo* {
    for (SemUndo& u : entries_)
      if (u.set == &set) return &u;
    return nullptr;
  };
  {
    LockGuard guard(lock_);
    if (SemUndo* u = find()) return u;
  }
  Unique<SemUndo> fresh = make<SemUndo>(set);
  if (!fresh) return Errno::nomem;
  TRY(fresh->adjust.reserve(static_cast<size_t>(set.size())));
  for (int32_t i = 0; i < set.size(); ++i) TRY(fresh->adjust.push_back(0));
  struct Dead : List {
    ~Dead() {
      clear_and_dispose([](SemUndo* u) {
        Ref<SemSet> gone = Ref<SemSet>::adopt(u->set);
        Unique<SemUndo> undo(u);
      });
    }
  } dead;  // goes after the lock
  LockGuard guard(lock_);
  take_dead(dead);
  if (SemUndo* u = find()) return u;
  LockGuard set_guard(set.lock);
  if (set.removed) return Errno::idrm;
  set.ref();  // the entry's
  set.undos_.push_back(*fresh);
  entries_.push_back(*fresh);
  return fresh.release();
}

void SemUndoList::take_dead(List& dead) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    SemUndo& undo = *it++;
    LockGuard guard(undo.set->lock);
    if (!undo.set->removed) continue;
    entries_.erase(entries_.iterator_to(undo));
    dead.push_back(undo);
  }
}

SemUndoList::~SemUndoList() {
  for (;;) {
    Unique<SemUndo> undo;
    {
      LockGuard guard(lock_);
      if (entries_.empty()) return;
      undo = Unique<SemUndo>(&entries_.front());
      entries_.pop_front();
    }
    Ref<SemSet> set = Ref<SemSet>::adopt(undo->set);
    LockGuard guard(set->lock);
    if (!undo->set_hook.is_linked()) continue;
    set->undos_.erase(set->undos_.iterator_to(*undo));
    set->take_back(*undo, Task::current().pid());
  }
}

}  // namespace runsc::kernel
