// PID namespaces (pid_namespaces(7)). Inside the kernel tasks, processes, groups and sessions go by their
// numbers in the first namespace; pid.h translates for those who stand in others.
#pragma once

#include "kernel/base/namespace.h"
#include "kernel/base/result.h"
#include "kernel/base/vec.h"
#include "kernel/base/wait_queue.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

class PidNamespace final : public Namespace {
 public:
  static constexpr uint32_t kMaxLevel = 32;
  // Below `parent`; null: the first one. ENOSPC: too deep. ENOMEM.
  static Result<Ref<PidNamespace>> create(PidNamespace* parent, Ref<Namespace> owner);

  uint32_t level() const { return level_; }
  bool is_first() const { return level_ == 0; }
  PidNamespace* parent() const { return parent_.get(); }
  // Whether `other` is this one or below it.
  bool contains(const PidNamespace& other) const;

  // ---- Under g_tree_lock.
  ThreadGroup* init = nullptr;  // null: not yet, or no more
  bool ended = false;           // its init has died: nobody is born here any more
  int32_t last = 0;             // the number given last
  bool wrapped = false;
  uint32_t tasks = 0;
  WaitQueue left;  // a task has gone

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit PidNamespace(PidNamespace* parent)
      : Namespace(NamespaceKind::pid),
        level_(parent ? parent->level_ + 1 : 0),
        parent_(parent ? Ref<PidNamespace>(*parent) : Ref<PidNamespace>()) {}
  const uint32_t level_;
  const Ref<PidNamespace> parent_;
};

// The numbers of a task that is not in the first namespace alone: one in each, up to that. They stay taken
// while the task, or a process group or session of its number, is there; and known for a while longer, to
// those who find what it left: a message, a semaphore.
class NestedPid final : public RefCounted<NestedPid> {
 public:
  // ENOMEM.
  static Result<Ref<NestedPid>> create(Ref<PidNamespace> ns);
  PidNamespace& ns() const { return *ns_; }
  // 0: it has none there. Constant once they are given.
  int32_t number_in(const PidNamespace& ns) const {
    if (ns.level() >= slots_.size() || slots_[ns.level()].ns != &ns) return 0;
    return slots_[ns.level()].number;
  }
  int32_t own_number() const { return slots_[slots_.size() - 1].number; }

 private:
  friend struct NestedTable;  // pid.cc
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit NestedPid(Ref<PidNamespace> ns) : ns_(std::move(ns)) {}
  struct Slot {
    const PidNamespace* ns = nullptr;
    int32_t number = 0;  // 0: not in the table
    NestedPid* pid = nullptr;
    Slot* next = nullptr;
  };
  const Ref<PidNamespace> ns_;
  Vec<Slot> slots_;  // by level; never grows once made
  // Under g_tree_lock.
  uint32_t uses_ = 0;  // the task, process groups and sessions
  bool gone_ = false;  // no number of it is taken any more
  Task* task_ = nullptr;
};

}  // namespace runsc::kernel
