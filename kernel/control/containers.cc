#include "kernel/control/containers.h"

#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

Result<Ref<Container>> Container::create(hostcall::ContainerNumber number) {
  Ref<Container> container = make_ref<Container>(number);
  if (!container) return Errno::nomem;
  return container;
}

Ref<Container> find_container(hostcall::ContainerNumber number) {
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (g.container && g.container->number == number && g.container->init) return g.container;
  return {};
}

Ref<Task> init_of(Container& container) {
  LockGuard tree(g_tree_lock);
  return container.init && container.init->leader ? Ref<Task>(*container.init->leader) : Ref<Task>();
}

namespace {

// True: nobody is left.
bool end_container_step(Container& container, ThreadGroup& init) {
  bool left = false;
  LockGuard tree(g_tree_lock);
  container.init = nullptr;
  for (ThreadGroup& g : all_groups()) {
    if (&g == &init || g.zombie || g.container.get() != &container) continue;
    (void)queue_signal_tree_locked(g, nullptr, abi::SigInfo(abi::sig::kill, abi::sig_code::kernel),
                                   Origin::outside);
    left = true;
  }
  return !left;
}

}  // namespace

void end_container_of(Task& task) {
  ThreadGroup& init = task.group();
  Container& container = *init.container;
  ParkWaiter waiter;
  container.left.add(waiter);
  while (!end_container_step(container, init)) task.sched.park_event();
  container.left.remove(waiter);
}

}  // namespace runsc::kernel
