// System V semaphore sets (semget(2)): operations on several semaphores at once, those that wait for them,
// and what a process takes back when it ends (SEM_UNDO).
#pragma once

#include <boost/intrusive/list.hpp>
#include <span>

#include "kernel/base/vec.h"
#include "kernel/ipc/ipc.h"

namespace runsc::kernel {

inline constexpr int32_t kSemMsl = 32000;  // semaphores of a set
inline constexpr uint32_t kSemMni = 32000, kSemOpm = 500;
inline constexpr int32_t kSemVmx = 32767;  // the highest value
inline constexpr uint64_t kSemMns = 1024000000;

struct SemOperation {  // struct sembuf
  uint16_t number;
  int16_t change;
  int16_t flags;
};
static_assert(sizeof(SemOperation) == 6);
inline constexpr int16_t kSemUndo = 0x1000;

class SemSet;

// What one process will take back from one set.
struct SemUndo : HeapObject {
  explicit SemUndo(SemSet& s) : set(&s) {}
  SemSet* set;          // counted; not linked to it: the set is gone
  Vec<int16_t> adjust;  // under the set's lock
  boost::intrusive::list_member_hook<> set_hook, list_hook;
};

// Of the tasks that share it (CLONE_SYSVSEM). With the last of them its changes are taken back.
class SemUndoList final : public RefCounted<SemUndoList> {
 public:
  static Result<Ref<SemUndoList>> create();
  ~SemUndoList();
  // The entry for a set, made if need be. ENOMEM.
  Result<SemUndo*> entry(SemSet& set);

 private:
  friend class SemSet;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  SemUndoList() = default;
  using List = boost::intrusive::list<
      SemUndo,
      boost::intrusive::member_hook<SemUndo, boost::intrusive::list_member_hook<>, &SemUndo::list_hook>,
      boost::intrusive::constant_time_size<false>>;
  // Takes the entries of sets that are gone off the list. Nobody uses these: operate() looks first.
  void take_dead(List& dead) REQUIRES(lock_);

  SpinLock lock_{LockRank::ipc_table};
  List entries_ GUARDED_BY(lock_);
};

// The task's own list: it alone changes and uses it; others may compare which one it is (kcmp(2)).
void set_sem_undo(Task& task, Ref<SemUndoList> list);
// An address to compare with others', null without a list.
const void* sem_undo_identity(const Task& task);

class SemSet final : public IpcObject {
 public:
  struct Semaphore {
    int32_t value = 0, pid = 0;
    uint32_t waiting_to_take = 0, waiting_for_zero = 0;
  };

  // ENOMEM.
  static Result<Ref<SemSet>> create(int32_t count);

  int32_t size() const { return static_cast<int32_t>(semaphores_.size()); }
  // semop(2): all or none; sleeps until `deadline_ns` (monotonic). `undo` may be null without SEM_UNDO.
  // EFBIG, EACCES, EAGAIN, ERANGE, EIDRM, EINTR.
  Result<void> operate(Task& task, std::span<const SemOperation> operations, SemUndo* undo,
                       uint64_t deadline_ns);

  Semaphore semaphore(int32_t number) const REQUIRES(lock) {
    return semaphores_[static_cast<size_t>(number)];
  }
  // SETVAL, SETALL: what processes would take back is forgotten.
  void set(int32_t number, int32_t value, int32_t pid) REQUIRES(lock);
  // After set(): whoever can go on goes on.
  void wake() REQUIRES(lock);
  // IPC_RMID.
  void destroy() override;
  int64_t operation_time() const REQUIRES(lock) { return operation_time_; }
  int64_t change_time() const REQUIRES(lock) { return change_time_; }
  void touch() REQUIRES(lock);

 private:
  friend class SemUndoList;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  SemSet() = default;

  // One that waits. Whoever changes the set performs the operations on its behalf, so that a value that comes
  // and goes is not missed.
  struct Sleeper : boost::intrusive::list_base_hook<> {
    Sleeper(std::span<const SemOperation> o, SemUndo* u, Task& t) : operations(o), undo(u), task(t) {}
    std::span<const SemOperation> operations;
    SemUndo* undo;
    Task& task;
    SemOperation waits_on{};
    bool done = false;
    Errno error{};  // with `done`; 0: performed
  };
  using Sleepers = boost::intrusive::list<Sleeper, boost::intrusive::constant_time_size<false>>;
  using Undos = boost::intrusive::list<
      SemUndo,
      boost::intrusive::member_hook<SemUndo, boost::intrusive::list_member_hook<>, &SemUndo::set_hook>,
      boost::intrusive::constant_time_size<false>>;
  // EAGAIN: operations[blocking] has to wait; nothing is changed.
  Result<void> try_all(std::span<const SemOperation> operations, SemUndo* undo, int32_t pid, size_t& blocking)
      REQUIRES(lock);
  void count_waiter(const SemOperation& on, int by) REQUIRES(lock);
  void take_back(const SemUndo& undo, int32_t pid) REQUIRES(lock);

  Vec<Semaphore> semaphores_;  // its length is constant
  Sleepers sleepers_ GUARDED_BY(lock);
  Undos undos_ GUARDED_BY(lock);
  int64_t operation_time_ GUARDED_BY(lock) = 0, change_time_ GUARDED_BY(lock) = 0;
};

// Of the task's namespace.
IpcTable& sem_table(const Task& task);
// EINVAL.
Result<Ref<SemSet>> find_sem(const Task& task, int32_t id);

}  // namespace runsc::kernel
