// IpcNamespace (ipc_namespaces(7)): the System V objects and POSIX message queues that tasks see together.
#pragma once

#include "kernel/base/namespace.h"
#include "kernel/ipc/ipc.h"
#include "kernel/ipc/posix_queue.h"

namespace runsc::kernel {

class MqueueSuper;  // kernel/ipc/mqueue_fs.cc

// The sysctls of System V IPC that bound sizes (proc_sys_kernel(5)); how many objects there may be, their
// tables say.
struct IpcLimits {
  std::atomic<uint64_t> shm_max, shm_all;                     // bytes of a segment, pages of all
  std::atomic<uint32_t> msg_max, msg_mnb;                     // bytes of a message, of a new queue
  std::atomic<uint32_t> sem_of_set, sem_of_all, sem_of_call;  // SEMMSL, SEMMNS, SEMOPM
  IpcLimits();
};

class IpcNamespace final : public Namespace {
 public:
  // ENOMEM.
  static Result<Ref<IpcNamespace>> create();
  // What is in it goes: as by IPC_RMID, and message queues once nobody has them open or mounted.
  ~IpcNamespace() override;

  IpcTable& semaphores() const { return *semaphores_; }
  IpcTable& messages() const { return *messages_; }
  IpcTable& segments() const { return *segments_; }
  IpcLimits& limits() { return limits_; }
  PosixQueueSpace& queues() const { return *queues_; }
  // The file system of its message queues, made at the first use. ENOMEM.
  Result<MqueueSuper*> mqueue();

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  IpcNamespace(Ref<IpcTable> semaphores, Ref<IpcTable> messages, Ref<IpcTable> segments,
               Ref<PosixQueueSpace> queues);

  const Ref<IpcTable> semaphores_, messages_, segments_;
  const Ref<PosixQueueSpace> queues_;
  IpcLimits limits_;
  std::atomic<MqueueSuper*> mqueue_{nullptr};  // a count is held
};

}  // namespace runsc::kernel
