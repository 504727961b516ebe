// /proc/sysvipc: of the namespace of whoever reads.
#include "fs/user_namespace.h"
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

// What is shown of all kinds: copied under the object's lock, under which nothing is translated.
struct Common {
  int32_t key, id;
  IpcOwner owner;
};
Common common_of(const IpcObject& o) REQUIRES(o.lock) { return {o.key, o.id(), o.owner}; }

void show_head(const Common& c, TextSink& out) {
  format(out, "{:10} {:10}  {:4o} ", c.key, c.id, c.owner.mode);
}

void show_owner(const IpcOwner& owner, TextSink& out) {
  const fs::Credentials& viewer = Task::current().creds();
  format(out, "{:5} {:5} {:5} {:5} ", fs::shown_uid(viewer, owner.uid), fs::shown_gid(viewer, owner.gid),
         fs::shown_uid(viewer, owner.cuid), fs::shown_gid(viewer, owner.cgid));
}

Result<void> show_shm(TextSink& out) {
  out.write(
      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      "
      "atime      "
      "dtime      ctime                   rss                  swap\n");
  for_each<ShmSegment>(shm_table(Task::current()), [&](ShmSegment& s) {
    Common c;
    ShmSegment::Use u;
    {
      LockGuard guard(s.lock);
      c = common_of(s);
      u = s.use();
    }
    show_head(c, out);
    format(out, "{:21} {:5} {:5}  {:5} ", s.size(), number_for(Task::current(), u.creator),
           number_for(Task::current(), u.last), u.attached);
    show_owner(c.owner, out);
    format(out, "{:10} {:10} {:10} {:21} {:21}\n", u.attach_time, u.detach_time, u.change_time, 0, 0);
  });
  return {};
}

Result<void> show_sem(TextSink& out) {
  out.write("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
  for_each<SemSet>(sem_table(Task::current()), [&](SemSet& s) {
    Common c;
    int64_t operated, changed;
    {
      LockGuard guard(s.lock);
      c = common_of(s);
      operated = s.operation_time();
      changed = s.change_time();
    }
    show_head(c, out);
    format(out, "{:10} ", s.size());
    show_owner(c.owner, out);
    format(out, "{:10} {:10}\n", operated, changed);
  });
  return {};
}

Result<void> show_msg(TextSink& out) {
  out.write(
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime     "
      " rtime      "
      "ctime\n");
  for_each<MessageQueue>(msg_table(Task::current()), [&](MessageQueue& q) {
    Common c;
    MessageQueue::Use u;
    {
      LockGuard guard(q.lock);
      c = common_of(q);
      u = q.use();
    }
    show_head(c, out);
    format(out, " {:10} {:10} {:5} {:5} ", u.bytes, u.count, number_for(Task::current(), u.sender),
           number_for(Task::current(), u.receiver));
    show_owner(c.owner, out);
    format(out, "{:10} {:10} {:10}\n", u.sent, u.received, u.changed);
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
