// /proc/sysvipc: of the namespace of whoever reads.
#include "kernel/ipc/msg.h"
#include "kernel/ipc/sem.h"
#include "kernel/ipc/shm.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/proc/proc.h"
#include "kernel/task.h"
#include "mm/phys.h"

namespace runsc::kernel::proc {

namespace {

template <class Kind, class Show>
void for_each(IpcTable& table, Show&& show) {
  int32_t highest = table.highest();
  for (int32_t i = 0; i <= highest; ++i)
    if (auto object = table.at(i)) show(static_cast<Kind&>(**object));
}

void show_head(const IpcObject& o, TextSink& out) REQUIRES(o.lock) {
  format(out, "{:10} {:10}  {:4o} ", o.key, o.id(), o.owner.mode);
}

Result<void> show_shm(TextSink& out) {
  out.write(
      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      "
      "atime      "
      "dtime      ctime                   rss                  swap\n");
  for_each<ShmSegment>(shm_table(Task::current()), [&](ShmSegment& s) {
    LockGuard guard(s.lock);
    ShmSegment::Use u = s.use();
    show_head(s, out);
    format(out, "{:21} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {:21} {:21}\n", s.size(),
           number_for(Task::current(), u.creator), number_for(Task::current(), u.last), u.attached,
           s.owner.uid, s.owner.gid, s.owner.cuid, s.owner.cgid, u.attach_time, u.detach_time, u.change_time,
           0, 0);
  });
  return {};
}

Result<void> show_sem(TextSink& out) {
  out.write("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
  for_each<SemSet>(sem_table(Task::current()), [&](SemSet& s) {
    LockGuard guard(s.lock);
    show_head(s, out);
    format(out, "{:10} {:5} {:5} {:5} {:5} {:10} {:10}\n", s.size(), s.owner.uid, s.owner.gid, s.owner.cuid,
           s.owner.cgid, s.operation_time(), s.change_time());
  });
  return {};
}

Result<void> show_msg(TextSink& out) {
  out.write(
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime     "
      " rtime      "
      "ctime\n");
  for_each<MessageQueue>(msg_table(Task::current()), [&](MessageQueue& q) {
    LockGuard guard(q.lock);
    MessageQueue::Use u = q.use();
    show_head(q, out);
    format(out, " {:10} {:10} {:5} {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10}\n", u.bytes, u.count,
           number_for(Task::current(), u.sender), number_for(Task::current(), u.receiver), q.owner.uid,
           q.owner.gid, q.owner.cuid, q.owner.cgid, u.sent, u.received, u.changed);
  });
  return {};
}

constexpr fs::StaticEntry kEntries[] = {
    fs::static_text("msg", show_msg),
    fs::static_text("sem", show_sem),
    fs::static_text("shm", show_shm),
};

}  // namespace

std::span<const fs::StaticEntry> sysvipc_entries() { return kEntries; }

}  // namespace runsc::kernel::proc
