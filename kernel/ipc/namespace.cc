#include "kernel/ipc/namespace.h"

#include "kernel/ipc/mqueue_fs.h"
#include "kernel/ipc/msg.h"
#include "kernel/ipc/sem.h"
#include "kernel/ipc/shm.h"

namespace runsc::kernel {

IpcLimits::IpcLimits()
    : shm_max(kShmMax),
      shm_all(kShmAll),
      msg_max(kMsgMax),
      msg_mnb(kMsgMnb),
      sem_of_set(kSemMsl),
      sem_of_all(kSemMns),
      sem_of_call(kSemOpm) {}

IpcNamespace::IpcNamespace(Ref<IpcTable> semaphores, Ref<IpcTable> messages, Ref<IpcTable> segments,
                           Ref<PosixQueueSpace> queues)
    : Namespace(NamespaceKind::ipc),
      semaphores_(std::move(semaphores)),
      messages_(std::move(messages)),
      segments_(std::move(segments)),
      queues_(std::move(queues)) {}

Result<Ref<IpcNamespace>> IpcNamespace::create() {
  Ref<IpcTable> semaphores = make_ref<IpcTable>(kSemMni), messages = make_ref<IpcTable>(kMsgMni),
                segments = make_ref<IpcTable>(kShmMni);
  Ref<PosixQueueSpace> queues = make_ref<PosixQueueSpace>();
  if (!semaphores || !messages || !segments || !queues) return Errno::nomem;
  Ref<IpcNamespace> ipc = make_ref<IpcNamespace>(std::move(semaphores), std::move(messages),
                                                 std::move(segments), std::move(queues));
  if (!ipc) return Errno::nomem;
  return ipc;
}

IpcNamespace::~IpcNamespace() {
  queues_->ended.store(true, std::memory_order_relaxed);
  if (MqueueSuper* super = mqueue_.load(std::memory_order_relaxed)) release_mqueue(super);
  semaphores_->end();
  messages_->end();
  segments_->end();
}

Result<MqueueSuper*> IpcNamespace::mqueue() {
  // Acquire, release: what was made is seen whole.
  if (MqueueSuper* super = mqueue_.load(std::memory_order_acquire)) return super;
  MqueueSuper* fresh = TRY(make_mqueue(queues_));
  MqueueSuper* first = nullptr;
  if (mqueue_.compare_exchange_strong(first, fresh, std::memory_order_acq_rel)) return fresh;
  release_mqueue(fresh);
  return first;
}

}  // namespace runsc::kernel
