// semget(2), semop(2), semctl(2); msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
#include "kernel/syscalls/sysv.h"
#include "fs/user_namespace.h"

#include <algorithm>

#include "kernel/ipc/msg.h"
#include "kernel/ipc/sem.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/syscalls/time_args.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

IpcPermissions ipc_permissions(const IpcObject& object) {
  IpcPermissions p{};
  p.key = object.key;
  const fs::Credentials& viewer = Task::current().creds();
  p.uid = fs::shown_uid(viewer, object.owner.uid);
  p.gid = fs::shown_gid(viewer, object.owner.gid);
  p.cuid = fs::shown_uid(viewer, object.owner.cuid);
  p.cgid = fs::shown_gid(viewer, object.owner.cgid);
  p.mode = object.owner.mode;
  p.sequence = static_cast<uint16_t>(object.id() >> 15);
  return p;
}

Result<void> ipc_set(IpcObject& object, const fs::Credentials& creds, const IpcPermissions& to) {
  if (object.removed) return Errno::idrm;
  TRY(object.owner.check_owner(creds));
  const uint32_t uid = fs::global_uid(creds.user_ns.get(), to.uid),
                 gid = fs::global_gid(creds.user_ns.get(), to.gid);
  if (uid == fs::kNoId || gid == fs::kNoId) return Errno::inval;
  object.owner.uid = uid;
  object.owner.gid = gid;
  object.owner.mode = to.mode & 0777;
  return {};
}

namespace {

enum IpcCommand : uint32_t { kRemove, kSet, kStat, kInfo };
constexpr uint32_t kRead = 0444, kWrite = 0222;

struct SemIds {  // struct semid64_ds
  IpcPermissions permissions;
  int64_t operation_time;
  uint64_t unused1;
  int64_t change_time;
  uint64_t unused2, count, unused3, unused4;
};
static_assert(sizeof(SemIds) == 104);

struct SemInfo {  // struct seminfo
  int32_t map, mni, mns, mnu, msl, opm, ume, usz = 20, vmx = kSemVmx, aem = kSemVmx;
};

IpcLimits& limits_of(Task& task) { return task.namespaces().ipc().limits(); }

template <class T>
int32_t as_int(const std::atomic<T>& limit) {
  return static_cast<int32_t>(std::min<uint64_t>(limit.load(std::memory_order_relaxed), 0x7fffffff));
}

SemInfo sem_limits(Task& task) {
  const IpcLimits& l = limits_of(task);
  const int32_t all = as_int(l.sem_of_all), of_call = as_int(l.sem_of_call);
  return {all,    static_cast<int32_t>(sem_table(task).limit()), all, all, as_int(l.sem_of_set), of_call,
          of_call};
}

int64_t semaphores_in_use(Task& task) {
  int64_t used = 0;
  for (int32_t i = 0; i <= sem_table(task).highest(); ++i)
    if (auto object = sem_table(task).at(i)) used += static_cast<SemSet&>(**object).size();
  return used;
}

Result<uint64_t> sem_stat(Task& task, SemSet& set, uint64_t address, bool any) {
  SemIds ids{};
  {
    LockGuard guard(set.lock);
    if (set.removed) return Errno::idrm;
    if (!any) TRY(set.owner.check(task.creds(), kRead));
    ids.permissions = ipc_permissions(set);
    ids.operation_time = set.operation_time();
    ids.change_time = set.change_time();
    ids.count = static_cast<uint64_t>(set.size());
  }
  TRY(mm::copy_out(task.mm(), UserPtr<SemIds>(address), ids));
  return static_cast<uint64_t>(set.id());
}

Result<uint64_t> sem_info(Task& task, uint64_t address, bool in_use) {
  SemInfo info = sem_limits(task);
  int32_t highest = sem_table(task).highest();
  if (in_use) {
    info.usz = static_cast<int32_t>(sem_table(task).count());
    info.aem = 0;
    for (int32_t i = 0; i <= highest; ++i)
      if (auto object = sem_table(task).at(i)) info.aem += static_cast<SemSet&>(**object).size();
  }
  TRY(mm::copy_out(task.mm(), UserPtr<SemInfo>(address), info));
  return static_cast<uint64_t>(std::max(highest, 0));
}

Result<uint64_t> get_all(Task& task, SemSet& set, uint64_t address) {
  Vec<uint16_t> values;
  TRY(values.reserve(static_cast<size_t>(set.size())));
  {
    LockGuard guard(set.lock);
    if (set.removed) return Errno::idrm;
    TRY(set.owner.check(task.creds(), kRead));
    for (int32_t i = 0; i < set.size(); ++i)
      TRY(values.push_back(static_cast<uint16_t>(set.semaphore(i).value)));
  }
  TRY(mm::copy_out_bytes(task.mm(), address, values.data(), values.size() * sizeof(uint16_t)));
  return uint64_t{0};
}

Result<uint64_t> set_all(Task& task, SemSet& set, uint64_t address) {
  {
    LockGuard guard(set.lock);
    TRY(set.owner.check(task.creds(), kWrite));
  }
  Vec<uint16_t> values;
  TRY(values.reserve(static_cast<size_t>(set.size())));
  for (int32_t i = 0; i < set.size(); ++i) TRY(values.push_back(0));
  TRY(mm::copy_in_bytes(task.mm(), values.data(), address, values.size() * sizeof(uint16_t)));
  for (uint16_t v : values)
    if (v > kSemVmx) return Errno::range;
  LockGuard guard(set.lock);
  if (set.removed) return Errno::idrm;
  for (int32_t i = 0; i < set.size(); ++i) set.set(i, values[static_cast<size_t>(i)], task.pid());
  set.wake();
  return uint64_t{0};
}

enum SemCommand : uint32_t {
  kGetPid = 11,
  kGetValue,
  kGetAll,
  kGetNcount,
  kGetZcount,
  kSetValue,
  kSetAll,
  kSemStat,
  kSemInfo,
  kSemStatAny
};

// The commands that are about one semaphore; numbers of processes are those of the first namespace.
Result<uint64_t> sem_one(Task& task, SemSet& set, int32_t number, uint32_t command, uint64_t argument) {
  auto value = static_cast<int32_t>(argument);
  if (command == kSetValue && (value < 0 || value > kSemVmx)) return Errno::range;
  LockGuard guard(set.lock);
  if (set.removed) return Errno::idrm;
  if (number < 0 || number >= set.size()) return Errno::inval;
  TRY(set.owner.check(task.creds(), command == kSetValue ? kWrite : kRead));
  SemSet::Semaphore s = set.semaphore(number);
  switch (command) {
    case kGetPid:
      return static_cast<uint64_t>(s.pid);
    case kGetValue:
      return static_cast<uint64_t>(s.value);
    case kGetNcount:
      return uint64_t{s.waiting_to_take};
    case kGetZcount:
      return uint64_t{s.waiting_for_zero};
    default:
      set.set(number, value, task.pid());
      set.wake();
      return uint64_t{0};
  }
}

Result<void> operate(Task& task, int32_t id, uint64_t address, uint64_t count, uint64_t deadline_ns) {
  if (count < 1 || id < 0) return Errno::inval;
  if (count > limits_of(task).sem_of_call.load(std::memory_order_relaxed)) return Errno::toobig;
  Vec<SemOperation> operations;
  TRY(operations.reserve(count));
  for (uint64_t i = 0; i < count; ++i) TRY(operations.push_back({}));
  TRY(mm::copy_in_bytes(task.mm(), operations.data(), address, count * sizeof(SemOperation)));
  Ref<SemSet> set = TRY(find_sem(task, id));
  SemUndo* undo = nullptr;
  if (std::any_of(operations.begin(), operations.end(),
                  [](const SemOperation& o) { return o.flags & kSemUndo; })) {
    for (const SemOperation& o : operations)
      if (o.number >= set->size()) return Errno::fbig;
    if (!task.sem_undo) set_sem_undo(task, TRY(SemUndoList::create()));
    undo = TRY(task.sem_undo->entry(*set));
  }
  return set->operate(task, operations.span(), undo, deadline_ns);
}

}  // namespace

Result<int32_t> sys_semget(Task& task, int32_t key, int32_t count, uint32_t flags) {
  const IpcLimits& limits = limits_of(task);
  if (count < 0 || count > as_int(limits.sem_of_set)) return Errno::inval;
  auto check = [&](IpcObject& object) -> Result<void> {
    if (count > static_cast<SemSet&>(object).size()) return Errno::inval;
    return {};
  };
  auto make = [&]() -> Result<Ref<IpcObject>> {
    if (count == 0) return Errno::inval;
    const uint32_t most = limits.sem_of_all.load(std::memory_order_relaxed);
    if (most < kSemMns && semaphores_in_use(task) + count > most) return Errno::nospc;
    return Ref<IpcObject>(TRY(SemSet::create(count)));
  };
  return ipc_get(sem_table(task), task.creds(), key, flags, check, make);
}

Result<void> sys_semop(Task& task, int32_t id, uint64_t operations, uint64_t count) {
  return operate(task, id, operations, count, kNoDeadline);
}

Result<void> sys_semtimedop(Task& task, int32_t id, uint64_t operations, uint64_t count, uint64_t timeout) {
  uint64_t deadline = kNoDeadline;
  if (timeout) deadline = TRY(read_relative_deadline(task, timeout));
  return operate(task, id, operations, count, deadline);
}

Result<uint64_t> sys_semctl(Task& task, int32_t id, int32_t number, uint32_t command, uint64_t argument) {
  if (id < 0) return Errno::inval;
  switch (command) {
    case kInfo:
    case kSemInfo:
      return sem_info(task, argument, command == kSemInfo);
    case kSemStat:
    case kSemStatAny: {
      Ref<IpcObject> object = TRY(sem_table(task).at(id));
      return sem_stat(task, static_cast<SemSet&>(*object), argument, command == kSemStatAny);
    }
    default:
      if (command > kSemStatAny || (command > kInfo && command < kGetPid)) return Errno::inval;
      break;
  }
  IpcPermissions to{};
  if (command == kSet) to = TRY(mm::copy_in(task.mm(), UserPtr<SemIds>(argument))).permissions;
  Ref<SemSet> set = TRY(find_sem(task, id));
  switch (command) {
    case kStat:
      TRY(sem_stat(task, *set, argument, false));
      return uint64_t{0};
    case kSet: {
      LockGuard guard(set->lock);
      TRY(ipc_set(*set, task.creds(), to));
      set->touch();
      return uint64_t{0};
    }
    case kRemove: {
      {
        LockGuard guard(set->lock);
        TRY(set->owner.check_owner(task.creds()));
      }
      set->destroy();
      return uint64_t{0};
    }
    case kGetAll:
      return get_all(task, *set, argument);
    case kSetAll:
      return set_all(task, *set, argument);
    case kGetPid: {
      // Translated without the lock.
      const uint64_t pid = TRY(sem_one(task, *set, number, command, argument));
      return static_cast<uint64_t>(number_for(task, static_cast<int32_t>(pid)));
    }
    default:
      return sem_one(task, *set, number, command, argument);
  }
}

namespace {

struct MsgIds {  // struct msqid64_ds
  IpcPermissions permissions;
  int64_t sent, received, changed;
  uint64_t bytes, count, limit;
  int32_t sender, receiver;
  uint64_t unused[2];
};
static_assert(sizeof(MsgIds) == 120);

struct MsgInfo {  // struct msginfo
  int32_t pool, map, max, mnb, mni, ssz, tql;
  uint16_t seg, pad;
};

Result<uint64_t> msg_stat(Task& task, MessageQueue& queue, uint64_t address, bool any) {
  MsgIds ids{};
  {
    LockGuard guard(queue.lock);
    if (queue.removed) return Errno::idrm;
    if (!any) TRY(queue.owner.check(task.creds(), kRead));
    MessageQueue::Use use = queue.use();
    ids = {ipc_permissions(queue),
           use.sent,
           use.received,
           use.changed,
           use.bytes,
           use.count,
           use.limit,
           use.sender,
           use.receiver,
           {}};
  }
  ids.sender = number_for(task, ids.sender);
  ids.receiver = number_for(task, ids.receiver);
  TRY(mm::copy_out(task.mm(), UserPtr<MsgIds>(address), ids));
  return static_cast<uint64_t>(queue.id());
}

Result<uint64_t> msg_info(Task& task, uint64_t address, bool in_use) {
  const IpcLimits& l = limits_of(task);
  const auto mni = static_cast<int32_t>(msg_table(task).limit());
  const int32_t mnb = as_int(l.msg_mnb);
  const auto pool = static_cast<int32_t>(std::min<int64_t>(int64_t{mni} * mnb / 1024, 0x7fffffff));
  MsgInfo info{pool, mnb, as_int(l.msg_max), mnb, mni, 16, mnb, 0xffff, 0};
  int32_t highest = msg_table(task).highest();
  if (in_use) {
    info.pool = static_cast<int32_t>(msg_table(task).count());
    info.map = info.tql = 0;
    for (int32_t i = 0; i <= highest; ++i) {
      auto object = msg_table(task).at(i);
      if (!object) continue;
      auto& queue = static_cast<MessageQueue&>(**object);
      LockGuard guard(queue.lock);
      info.map += static_cast<int32_t>(queue.use().count);
      info.tql += static_cast<int32_t>(queue.use().bytes);
    }
  }
  TRY(mm::copy_out(task.mm(), UserPtr<MsgInfo>(address), info));
  return static_cast<uint64_t>(std::max(highest, 0));
}

Result<void> msg_set(Task& task, MessageQueue& queue, const MsgIds& to) {
  LockGuard guard(queue.lock);
  if (to.limit > limits_of(task).msg_mnb.load(std::memory_order_relaxed) &&
      !task.creds().has(fs::Cap::sys_resource)) {
    TRY(queue.owner.check_owner(task.creds()));
    return Errno::perm;
  }
  TRY(ipc_set(queue, task.creds(), to.permissions));
  queue.set_limit(to.limit);
  return {};
}

}  // namespace

Result<int32_t> sys_msgget(Task& task, int32_t key, uint32_t flags) {
  auto check = [](IpcObject&) -> Result<void> { return {}; };
  auto make = [&]() -> Result<Ref<IpcObject>> {
    Ref<MessageQueue> queue = TRY(MessageQueue::create());
    LockGuard guard(queue->lock);
    queue->set_limit(limits_of(task).msg_mnb.load(std::memory_order_relaxed));
    return Ref<IpcObject>(queue);
  };
  return ipc_get(msg_table(task), task.creds(), key, flags, check, make);
}

Result<void> sys_msgsnd(Task& task, int32_t id, uint64_t message, uint64_t size, uint32_t flags) {
  int64_t type = TRY(mm::copy_in(task.mm(), UserPtr<int64_t>(message)));
  if (size > limits_of(task).msg_max.load(std::memory_order_relaxed) || id < 0 || type < 1)
    return Errno::inval;
  Unique<Message> m = make<Message>();
  if (!m) return Errno::nomem;
  m->type = type;
  TRY(m->bytes.reserve(size));
  for (uint64_t i = 0; i < size; ++i) TRY(m->bytes.push_back({}));
  TRY(mm::copy_in_bytes(task.mm(), m->bytes.data(), message + sizeof type, size));
  Ref<MessageQueue> queue = TRY(find_msg(task, id));
  return queue->send(task, m, !(flags & ipc_flag::nowait));
}

Result<uint64_t> sys_msgrcv(Task& task, int32_t id, uint64_t message, uint64_t size, int64_t type,
                            uint32_t flags) {
  constexpr uint32_t kNoError = 010000, kExcept = 020000, kCopy = 040000;
  if (id < 0 || static_cast<int64_t>(size) < 0) return Errno::inval;
  bool cut = flags & kNoError;
  if (flags & kCopy && (flags & kExcept || !(flags & ipc_flag::nowait))) return Errno::inval;
  Ref<MessageQueue> queue = TRY(find_msg(task, id));
  Unique<Message> m =
      flags & kCopy
          ? TRY(queue->copy(task, type, size, cut))
          : TRY(queue->receive(task, type, flags & kExcept, size, cut, !(flags & ipc_flag::nowait)));
  TRY(mm::copy_out(task.mm(), UserPtr<int64_t>(message), m->type));
  uint64_t n = std::min<uint64_t>(size, m->bytes.size());
  TRY(mm::copy_out_bytes(task.mm(), message + sizeof(int64_t), m->bytes.data(), n));
  return n;
}

Result<uint64_t> sys_msgctl(Task& task, int32_t id, uint32_t command, uint64_t address) {
  enum : uint32_t { kMsgStat = 11, kMsgInfo, kMsgStatAny };
  if (id < 0) return Errno::inval;
  MsgIds to{};
  switch (command) {
    case kInfo:
    case kMsgInfo:
      return msg_info(task, address, command == kMsgInfo);
    case kMsgStat:
    case kMsgStatAny: {
      Ref<IpcObject> object = TRY(msg_table(task).at(id));
      return msg_stat(task, static_cast<MessageQueue&>(*object), address, command == kMsgStatAny);
    }
    case kSet:
      to = TRY(mm::copy_in(task.mm(), UserPtr<MsgIds>(address)));
      break;
    case kStat:
    case kRemove:
      break;
    default:
      return Errno::inval;
  }
  Ref<MessageQueue> queue = TRY(find_msg(task, id));
  if (command == kStat) {
    TRY(msg_stat(task, *queue, address, false));
  } else if (command == kSet) {
    TRY(msg_set(task, *queue, to));
  } else {
    {
      LockGuard guard(queue->lock);
      TRY(queue->owner.check_owner(task.creds()));
    }
    queue->destroy();
  }
  return uint64_t{0};
}

}  // namespace runsc::kernel
