// IpcNamespace (ipc_namespaces(7)): the System V objects and POSIX message queues that tasks see together.
#pragma once

#include "kernel/base/namespace.h"
#include "kernel/ipc/ipc.h"
#include "kernel/ipc/posix_queue.h"

namespace runsc::kernel {

class MqueueSuper;  // kernel/ipc/mqueue_fs.cc

class IpcNamespace final : public Namespace {
 public:
  // ENOMEM.
  static Result<Ref<IpcNamespace>> create();
  // What is in it goes: as by IPC_RMID, and message queues once nobody has them open or mounted.
  ~IpcNamespace() override;

  IpcTable& semaphores() const { return *semaphores_; }
  IpcTable& messages() const { return *messages_; }
  IpcTable& segments() const { return *segments_; }
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
  std::atomic<MqueueSuper*> mqueue_{nullptr};  // a count is held
};

}  // namespace runsc::kernel
