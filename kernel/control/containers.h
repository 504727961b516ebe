// The containers of a sandbox: the one that it starts and ends with, and those that join it later (a pod).
#pragma once

#include "kernel/base/lock_rank.h"
#include "kernel/base/wait_queue.h"
#include "kernel/thread_group.h"
#include "kvm/hostcall/control_calls.h"

namespace runsc::kernel {

// Every process is of the container that its parent is of.
class Container final : public RefCounted<Container> {
 public:
  // ENOMEM.
  static Result<Ref<Container>> create(hostcall::ContainerNumber number);
  const hostcall::ContainerNumber number;
  bool is_first() const { return number == hostcall::kFirstContainer; }

  // The command that lets the init go on; 0: it has not come.
  std::atomic<uint32_t> start{0};
  WaitQueue start_wait;

  // ---- Under g_tree_lock.
  ThreadGroup* init = nullptr;  // null: not yet, or no more
  bool frozen = false;
  uint32_t tasks = 0, most_tasks = ~0u;
  WaitQueue left;  // a process has ended

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit Container(hostcall::ContainerNumber n) : number(n) {}
};

// Null: there is none, or its init has been reaped.
Ref<Container> find_container(hostcall::ContainerNumber number);
// Its init; null: it has ended.
Ref<Task> init_of(Container& container);
// Its init, `task`, is the last of its process: comes back when nobody else in the container lives.
void end_container_of(Task& task);

}  // namespace runsc::kernel
