// The mqueue file system: POSIX message queues by name, one to a file (mq_overview(7)). There is one to a
// namespace, however often it is mounted.
#pragma once

#include "fs/namespace.h"
#include "kernel/ipc/posix_queue.h"

namespace runsc::kernel {

// A namespace's file system, which it releases in the end. ENOMEM.
class MqueueSuper;
Result<MqueueSuper*> make_mqueue(Ref<PosixQueueSpace> space);
void release_mqueue(MqueueSuper* super);

// That of the caller's namespace.
Result<Ref<fs::SuperBlock>> mount_mqueue(std::string_view source, std::string_view data);

// mq_open(2); `wanted` may be null. ENOENT, EEXIST, EACCES (also for names with a slash), EINVAL,
// ENAMETOOLONG, and those of PosixQueue::init().
Result<Ref<fs::File>> open_queue(Task& task, std::string_view name, uint32_t flags, uint32_t mode,
                                 const QueueAttributes* wanted);
// mq_unlink(2): ENOENT, EACCES, EPERM.
Result<void> unlink_queue(Task& task, std::string_view name);

// The queue of an open file. EBADF: it is none.
Result<PosixQueue*> queue_of(fs::File& file);

}  // namespace runsc::kernel
