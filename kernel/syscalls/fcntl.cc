// fcntl(2), flock(2), ioctl(2).
#include "fs/file_lock.h"
#include "fs/pipe/pipe.h"
#include "fs/tty/devpts.h"
#include "fs/user_namespace.h"
#include "kernel/async_io.h"
#include "kernel/blocking.h"
#include "kernel/dnotify.h"
#include "kernel/leases.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/files.h"
#include "mm/write_mappings.h"

namespace runsc::kernel {

namespace {

using namespace fs::open_flag;

enum Command : int {
  kDupFd = 0,
  kGetFd = 1,
  kSetFd = 2,
  kGetFl = 3,
  kSetFl = 4,
  kGetLk = 5,
  kSetLk = 6,
  kSetLkw = 7,
  kSetOwn = 8,
  kGetOwn = 9,
  kSetSig = 10,
  kGetSig = 11,
  kSetOwnEx = 15,
  kGetOwnEx = 16,
  kGetOwnerUids = 17,
  kOfdGetLk = 36,
  kOfdSetLk = 37,
  kOfdSetLkw = 38,
  kSetLease = 1024,
  kGetLease = 1025,
  kNotify = 1026,
  kDupFdCloexec = 1030,
  kSetPipeSize = 1031,
  kGetPipeSize = 1032,
  kAddSeals = 1033,
  kGetSeals = 1034,
};

Result<uint64_t> set_status_flags(Task& task, fs::File& file, int fd, uint32_t flags) {
  uint32_t settable = append | nonblock | direct | noatime;
  if ((flags & ~file.flags()) & noatime && file.inode() && !task.creds().has(fs::Cap::fowner) &&
      TRY(file.get_attr()).uid != task.creds().fsuid)
    return Errno::perm;
  TRY(file.check_flags(flags & settable));
  // What cannot signal does not take the flag, in silence.
  if (signals_readiness(file)) {
    settable |= async;
    if ((flags ^ file.flags()) & async) TRY(set_async(task, file, fd, flags & async));
  }
  file.set_flags((file.flags() & ~settable) | (flags & settable));
  return uint64_t{0};
}

// struct flock into a range from the start of the file.
Result<fs::FileLock> decode_lock(fs::File& file, const abi::Flock& f) {
  constexpr int16_t kRead = 0, kWrite = 1, kUnlock = 2;
  constexpr int64_t kEnd = 0x7fffffffffffffff;
  fs::FileLock lock;
  switch (f.type) {
    case kRead:
      lock.type = fs::LockType::shared;
      break;
    case kWrite:
      lock.type = fs::LockType::exclusive;
      break;
    case kUnlock:
      lock.type = fs::LockType::unlock;
      break;
    default:
      return Errno::inval;
  }
  int64_t base = 0;
  if (f.whence == 1) {
    LockGuard guard(file.position_lock);
    base = static_cast<int64_t>(file.position);
  } else if (f.whence == 2) {
    base = static_cast<int64_t>(TRY(file.get_attr()).size);
  } else if (f.whence != 0) {
    return Errno::inval;
  }
  int64_t start, end;
  if (__builtin_add_overflow(base, f.start, &start)) return Errno::overflow;
  if (start < 0) return Errno::inval;
  int64_t last;
  if (f.size == 0) {
    end = kEnd;
  } else if (f.size > 0) {
    if (__builtin_add_overflow(start, f.size - 1, &last)) return Errno::overflow;
    end = last == kEnd ? kEnd : last + 1;
  } else {
    end = start, start += f.size;
  }
  if (start < 0) return Errno::inval;
  lock.start = static_cast<uint64_t>(start);
  lock.end = end == kEnd ? ~uint64_t{0} : static_cast<uint64_t>(end);
  return lock;
}

Result<uint64_t> get_lock(Task& task, fs::File& file, const fs::FileLock& lock, abi::Flock f, uint64_t out) {
  Ref<fs::FileLocks> locks = TRY(fs::FileLocks::of(*file.inode()));
  fs::FileLock held = locks->test_record(lock);
  if (held.type == fs::LockType::unlock) {
    f.type = 2;
  } else {
    f.type = held.type == fs::LockType::exclusive ? 1 : 0;
    f.whence = 0;
    f.start = static_cast<int64_t>(held.start);
    f.size = held.end == ~uint64_t{0} ? 0 : static_cast<int64_t>(held.end - held.start);
    f.pid = held.pid > 0 ? number_for(task, held.pid) : held.pid;
  }
  TRY(mm::copy_out(task.mm(), mm::UserPtr<abi::Flock>(out), f));
  return uint64_t{0};
}

Result<uint64_t> set_lock(Task& task, fs::File& file, const fs::FileLock& lock, bool wait, bool posix) {
  Ref<fs::FileLocks> locks = TRY(fs::FileLocks::of(*file.inode()));
  auto attempt = [&]() -> Result<uint64_t> {
    Result<void> r = locks->set_record(lock);
    if (r) return uint64_t{0};
    if (r.error() == Errno::again && wait) TRY(locks->note_waiter(lock));
    if (r.error() == Errno::again && wait && posix) TRY(locks->start_waiting(lock));
    return r.error();
  };
  if (!wait) return attempt();
  Result<uint64_t> r = block_on(task, locks->queue(), ~0u, kNoDeadline, attempt);
  locks->forget_waiter(lock);
  if (posix) fs::FileLocks::stop_waiting(lock.owner);
  return r;
}

Result<uint64_t> lock_command(Task& task, fs::File& file, int command, uint64_t argument) {
  bool posix = command <= kSetLkw;
  auto f = TRY(mm::copy_in(task.mm(), mm::UserPtr<abi::Flock>(argument)));
  if (!file.inode()) return Errno::inval;
  fs::FileLock lock = TRY(decode_lock(file, f));
  if (!posix && f.pid != 0) return Errno::inval;
  lock.owner = posix ? static_cast<const void*>(&task.files()) : &file;
  lock.pid = posix ? task.pid() : -1;
  if (command == kGetLk || command == kOfdGetLk) {
    if (lock.type == fs::LockType::unlock) return Errno::inval;
    return get_lock(task, file, lock, f, argument);
  }
  if (lock.type == fs::LockType::shared && !file.readable()) return Errno::badf;
  if (lock.type == fs::LockType::exclusive && !file.writable()) return Errno::badf;
  return set_lock(task, file, lock, command == kSetLkw || command == kOfdSetLkw, posix);
}

struct OwnerEx {
  int32_t type, id;
};

Result<int32_t> owner_id(Task& task, int32_t number) {
  const int32_t id = id_meant_by(task, number);
  if (id == 0 && number != 0) return Errno::srch;
  return id;
}

// F_SETOWN: a negative number is a process group.
Result<uint64_t> set_owner(Task& task, fs::File& file, int32_t id) {
  if (id == INT32_MIN) return Errno::inval;
  const int32_t number = id < 0 ? -id : id;
  TRY(set_file_owner(task, file, id < 0 ? OwnerType::group : OwnerType::process,
                     TRY(owner_id(task, number))));
  return uint64_t{0};
}

Result<uint64_t> owner_command(Task& task, fs::File& file, int command, uint64_t argument) {
  FileOwner owner = file_owner(file);
  owner.id = number_for(task, owner.id);
  switch (command) {
    case kSetOwn:
      return set_owner(task, file, static_cast<int32_t>(argument));
    case kGetOwn:
      return static_cast<uint64_t>(int64_t{owner.type == OwnerType::group ? -owner.id : owner.id});
    case kSetSig:
      if (argument > 64) return Errno::inval;
      file.owner_signal.store(static_cast<int32_t>(argument), std::memory_order_relaxed);
      return uint64_t{0};
    case kGetSig:
      return static_cast<uint64_t>(file.owner_signal.load(std::memory_order_relaxed));
    case kSetOwnEx: {
      auto o = TRY(mm::copy_in(task.mm(), mm::UserPtr<OwnerEx>(argument)));
      if (o.type < 0 || o.type > 2) return Errno::inval;
      TRY(set_file_owner(task, file, static_cast<OwnerType>(o.type), TRY(owner_id(task, o.id))));
      return uint64_t{0};
    }
    case kGetOwnerUids: {
      struct Uids {
        uint32_t uid, effective;
      } uids{fs::shown_uid(task.creds(), owner.uid), fs::shown_uid(task.creds(), owner.effective_uid)};
      TRY(mm::copy_out(task.mm(), mm::UserPtr<Uids>(argument), uids));
      return uint64_t{0};
    }
    default: {
      OwnerEx o{static_cast<int32_t>(owner.type), owner.id};
      TRY(mm::copy_out(task.mm(), mm::UserPtr<OwnerEx>(argument), o));
      return uint64_t{0};
    }
  }
}

Result<uint64_t> pipe_size_command(fs::File& file, int command, uint64_t argument) {
  fs::Pipe* pipe = fs::pipe_of(file);
  if (!pipe) return Errno::badf;
  if (command == kGetPipeSize) return uint64_t{pipe->capacity()};
  if (argument > 0x7fffffff) return Errno::inval;
  return uint64_t{TRY(pipe->set_capacity(argument))};
}

Result<uint64_t> seal_command(fs::File& file, int command, uint64_t argument) {
  constexpr uint32_t kSeal = 1, kWrite = 8, kKnown = 31;
  std::atomic<uint32_t>* seals = file.inode() ? file.inode()->seals() : nullptr;
  if (!seals) return Errno::inval;
  if (command == kGetSeals) return uint64_t{seals->load(std::memory_order_relaxed)};
  if (argument & ~uint64_t{kKnown}) return Errno::inval;
  if (!file.writable()) return Errno::perm;
  LockGuard guard(file.inode()->lock);
  uint32_t now = seals->load(std::memory_order_relaxed);
  if (now & kSeal) return Errno::perm;
  if ((argument & kWrite) && !(now & kWrite)) {
    Result<mm::MappableRef> mapping = file.mappable(false);
    if (mapping && mm::is_mapped_for_writing(*mapping->get())) return Errno::busy;
  }
  seals->store(now | static_cast<uint32_t>(argument), std::memory_order_relaxed);
  return uint64_t{0};
}

Result<uint64_t> file_command(Task& task, fs::File& file, int fd, int command, uint64_t argument) {
  switch (command) {
    case kSetFl:
      return set_status_flags(task, file, fd, static_cast<uint32_t>(argument));
    case kGetLk:
    case kSetLk:
    case kSetLkw:
    case kOfdGetLk:
    case kOfdSetLk:
    case kOfdSetLkw:
      return lock_command(task, file, command, argument);
    case kSetOwn:
    case kGetOwn:
    case kSetSig:
    case kGetSig:
    case kSetOwnEx:
    case kGetOwnEx:
    case kGetOwnerUids:
      return owner_command(task, file, command, argument);
    case kSetPipeSize:
    case kGetPipeSize:
      return pipe_size_command(file, command, argument);
    case kAddSeals:
    case kGetSeals:
      return seal_command(file, command, argument);
    case kNotify:
      TRY(set_dnotify(task, file, fd, argument));
      return uint64_t{0};
    case kGetLease:
      return static_cast<uint64_t>(fs::lease_of(file));
    case kSetLease:
      TRY(set_lease(task, file, fd, argument));
      return uint64_t{0};
    default:
      return Errno::inval;
  }
}

}  // namespace

Result<uint64_t> sys_fcntl(Task& task, int fd, int command, uint64_t argument) {
  Ref<fs::File> file = TRY(any_file_of(task, fd));
  switch (command) {
    case kDupFd:
    case kDupFdCloexec:
      if (argument > 0x7fffffff || argument >= task.limit(kLimitFiles)) return Errno::inval;
      return static_cast<uint64_t>(TRY(task.files().install(
          std::move(file), command == kDupFdCloexec, task.limit(kLimitFiles), static_cast<int>(argument))));
    case kGetFd:
      return uint64_t{TRY(task.files().close_on_exec(fd)) ? 1u : 0u};
    case kSetFd:
      TRY(task.files().set_close_on_exec(fd, argument & 1));
      return uint64_t{0};
    case kGetFl:
      return uint64_t{file->flags()};
    default:
      if (file->flags() & fs::open_flag::path) return Errno::badf;
      return file_command(task, *file, fd, command, argument);
  }
}

Result<void> sys_flock(Task& task, int fd, int operation) {
  constexpr int kShared = 1, kExclusive = 2, kNonblocking = 4, kUnlock = 8;
  Ref<fs::File> file = TRY(file_of(task, fd));
  fs::LockType type;
  switch (operation & ~kNonblocking) {
    case kShared:
      type = fs::LockType::shared;
      break;
    case kExclusive:
      type = fs::LockType::exclusive;
      break;
    case kUnlock:
      type = fs::LockType::unlock;
      break;
    default:
      return Errno::inval;
  }
  if (!file->inode()) return Errno::inval;
  Ref<fs::FileLocks> locks = TRY(fs::FileLocks::of(*file->inode()));
  auto attempt = [&] { return locks->set_flock(type, file.get(), task.pid()); };
  if (operation & kNonblocking) return attempt();
  return block_on(task, locks->queue(), ~0u, kNoDeadline, attempt);
}

namespace {

constexpr uint32_t kTiocGptPeer = 0x5441, kFioClex = 0x5451, kFioNclex = 0x5450, kFioNbio = 0x5421,
                   kFioAsync = 0x5452, kFioNread = 0x541b, kFiGetBlockSize = 2, kFiClone = 0x40049409,
                   kFioQsize = 0x5460, kFioSetOwn = 0x8901, kSiocSetGroup = 0x8902, kFioGetOwn = 0x8903,
                   kSiocGetGroup = 0x8904;

Result<uint64_t> set_flag_by_int(Task& task, fs::File& file, uint32_t flag, uint64_t argument) {
  int32_t on = TRY(mm::copy_in(task.mm(), mm::UserPtr<int32_t>(argument)));
  file.set_flags(on ? file.flags() | flag : file.flags() & ~flag);
  return uint64_t{0};
}

// FIOASYNC refuses what O_ASYNC by F_SETFL only ignores.
Result<uint64_t> set_async_by_int(Task& task, fs::File& file, int fd, uint64_t argument) {
  int32_t on = TRY(mm::copy_in(task.mm(), mm::UserPtr<int32_t>(argument)));
  if ((on != 0) == ((file.flags() & async) != 0)) return uint64_t{0};
  if (!signals_readiness(file)) return Errno::notty;
  TRY(set_async(task, file, fd, on));
  file.set_flags(on ? file.flags() | async : file.flags() & ~async);
  return uint64_t{0};
}

// F_SETOWN and F_GETOWN as sockets have them too (socket(7), "Ioctls").
Result<uint64_t> socket_owner(Task& task, fs::File& file, bool set, uint64_t argument) {
  if (set) return set_owner(task, file, TRY(mm::copy_in(task.mm(), mm::UserPtr<int32_t>(argument))));
  FileOwner owner = file_owner(file);
  int32_t id = owner.type == OwnerType::group ? -owner.id : owner.id;
  TRY(mm::copy_out(task.mm(), mm::UserPtr<int32_t>(argument), id));
  return uint64_t{0};
}

}  // namespace

namespace {

// ENOTTY: not of this kind of file.
Result<uint64_t> tell_size(Task& task, fs::File& file, uint32_t request, uint64_t argument) {
  constexpr uint64_t kBlock = 512;
  const uint32_t type = file.inode()->type();
  const fs::Attr attr = TRY(file.get_attr());
  if (request == kFiGetBlockSize) {
    TRY(mm::copy_out(task.mm(), mm::UserPtr<int32_t>(argument), static_cast<int32_t>(attr.block_size)));
  } else if (request == kFioQsize) {  // what it takes
    if (type != fs::kRegular && type != fs::kDirectory) return Errno::notty;
    TRY(mm::copy_out(task.mm(), mm::UserPtr<uint64_t>(argument), attr.blocks * kBlock));
  } else {
    if (type != fs::kRegular) return Errno::notty;
    int64_t left = static_cast<int64_t>(attr.size);
    {
      LockGuard guard(file.position_lock);
      left -= static_cast<int64_t>(file.position);
    }
    TRY(mm::copy_out(task.mm(), mm::UserPtr<int32_t>(argument), static_cast<int32_t>(left)));
  }
  return uint64_t{0};
}

// FICLONE (ioctl_ficlone(2)): no file system here shares blocks between files.
Result<uint64_t> clone_file(Task& task, fs::File& to, int from_fd) {
  Ref<fs::File> from = TRY(file_of(task, from_fd));
  if (!from->inode() || !to.inode() || &from->inode()->super() != &to.inode()->super()) return Errno::xdev;
  if (from->inode()->is_dir() || to.inode()->is_dir()) return Errno::isdir;
  if (from->inode()->type() != fs::kRegular || to.inode()->type() != fs::kRegular) return Errno::inval;
  if (!from->readable() || !to.writable() || (to.flags() & append)) return Errno::badf;
  return Errno::opnotsupp;
}

}  // namespace

Result<uint64_t> sys_ioctl(Task& task, int fd, uint32_t request, uint64_t argument) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  switch (request) {
    case kTiocGptPeer: {
      uint32_t flags = static_cast<uint32_t>(argument);
      Ref<fs::File> peer = TRY(fs::open_peer(task.walk_context(), *file, flags));
      int peer_fd = TRY(task.files().install(std::move(peer), flags & cloexec, task.limit(kLimitFiles)));
      return static_cast<uint64_t>(peer_fd);
    }
    case kFioClex:
    case kFioNclex:
      TRY(task.files().set_close_on_exec(fd, request == kFioClex));
      return uint64_t{0};
    case kFioNbio:
      return set_flag_by_int(task, *file, nonblock, argument);
    case kFioAsync:
      return set_async_by_int(task, *file, fd, argument);
    case kFioSetOwn:
    case kSiocSetGroup:
    case kFioGetOwn:
    case kSiocGetGroup:
      if (file->kind() != fs::FileKind::socket) break;
      return socket_owner(task, *file, request == kFioSetOwn || request == kSiocSetGroup, argument);
    case kFioQsize:
    case kFioNread:
    case kFiGetBlockSize:
      if (file->inode()) {
        Result<uint64_t> told = tell_size(task, *file, request, argument);
        if (told || told.error() != Errno::notty) return told;
      }
      break;
    case kFiClone:
      return clone_file(task, *file, static_cast<int>(argument));
    default:
      break;
  }
  return file->ioctl(request, argument, fs::IoctlContext{task.mm(), task.creds()});
}

}  // namespace runsc::kernel
