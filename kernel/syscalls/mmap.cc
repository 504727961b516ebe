// mmap(2) and its neighbours, over mm::AddressSpace.
#include <algorithm>

#include "fs/write_access.h"
#include "kernel/inspect.h"
#include "kernel/pid.h"
#include "kernel/pidfd.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/memory.h"
#include "kernel/thread_group.h"
#include "mm/phys.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kMapShared = 1, kMapSharedValidate = 3, kMapTypeMask = 15, kMapAnonymous = 0x20;
constexpr uint32_t kProtRead = 1, kProtWrite = 2, kProtExec = 4, kProtGrowsDown = 0x01000000,
                   kProtGrowsUp = 0x02000000;
constexpr uint32_t kReadImpliesExec = 0x0400000;

mm::Prot to_prot(const Task& task, uint32_t prot) {
  mm::Prot p = static_cast<mm::Prot>(prot & (kProtRead | kProtWrite | kProtExec));
  if (task.personality.load(std::memory_order_relaxed) & kReadImpliesExec && mm::has(p, mm::Prot::read))
    p = p | mm::Prot::exec;
  return p;
}

// What the descriptor allows: EACCES; EPERM for code on a mount without exec.
Result<void> attach_file(Task& task, int fd, bool shared, mm::MmapRequest& r) {
  Ref<fs::File> file = TRY(task.files().get(fd));
  if (file->flags() & fs::open_flag::path) return Errno::badf;
  if (!file->readable()) return Errno::acces;
  bool writable = file->writable();
  if (shared && mm::has(r.prot, mm::Prot::write) && !writable) return Errno::acces;
  if (shared && !writable) r.max_prot = mm::Prot::read | mm::Prot::exec;
  if (file->path() && fs::mount_flags(file->path()) & fs::kMsNoexec) {
    if (mm::has(r.prot, mm::Prot::exec)) return Errno::perm;
    r.max_prot = r.max_prot & (mm::Prot::read | mm::Prot::write);
  }
  // F_SEAL_FUTURE_WRITE (fcntl(2)): a view that can never be written is let through.
  constexpr uint32_t kSealWrite = 8, kSealFutureWrite = 16;
  if (shared && writable && !mm::has(r.prot, mm::Prot::write) && file->inode() && file->inode()->seals()) {
    const uint32_t seals = file->inode()->seals()->load(std::memory_order_relaxed);
    if ((seals & kSealFutureWrite) && !(seals & kSealWrite)) {
      writable = false;
      r.max_prot = r.max_prot & (mm::Prot::read | mm::Prot::exec);
    }
  }
  r.file = TRY(file->mappable(shared && writable));
  if (shared && writable && file->inode())
    if (Ref<fs::WriteAccess> access = fs::WriteAccess::existing(*file->inode()))
      access->note_shared_mapping();
  return {};
}

}  // namespace

mm::AddressSpaceLimits address_space_limits(const Task& task) {
  const Limits& l = task.group().limits;
  mm::AddressSpaceLimits r;
  r.address_space = l.soft(Resource::as);
  r.data = l.soft(Resource::data);
  r.stack = l.soft(Resource::stack);
  r.locked = task.creds().has(fs::Cap::ipc_lock) ? ~uint64_t{0} : l.soft(Resource::memlock);
  return r;
}

Result<uint64_t> sys_mmap(Task& task, uint64_t address, uint64_t size, uint32_t prot, uint32_t flags, int fd,
                          uint64_t offset) {
  if (offset & mm::kPageMask) return Errno::inval;
  mm::MmapRequest r;
  r.address = address;
  r.size = size;
  r.prot = to_prot(task, prot);
  r.flags = flags;
  r.offset = offset;
  uint32_t type = flags & kMapTypeMask;
  bool shared = type == kMapShared || type == kMapSharedValidate;
  if (!(flags & kMapAnonymous)) {
    TRY(attach_file(task, fd, shared, r));
    if (size == 0) return Errno::inval;
  }
  return task.mm().mmap(std::move(r), address_space_limits(task));
}

Result<void> sys_munmap(Task& task, uint64_t address, uint64_t size) {
  return task.mm().munmap(address, size);
}

Result<void> sys_mprotect(Task& task, uint64_t address, uint64_t size, uint32_t prot) {
  constexpr uint32_t kKnown = kProtRead | kProtWrite | kProtExec | 8 | kProtGrowsDown | kProtGrowsUp;
  if (prot & ~kKnown || (prot & kProtGrowsDown && prot & kProtGrowsUp)) return Errno::inval;
  return task.mm().mprotect(address, size, to_prot(task, prot));
}

Result<uint64_t> sys_mremap(Task& task, uint64_t old_address, uint64_t old_size, uint64_t new_size,
                            uint32_t flags, uint64_t new_address) {
  return task.mm().mremap(old_address, old_size, new_size, flags, new_address, address_space_limits(task));
}

Result<uint64_t> sys_brk(Task& task, uint64_t end) { return task.mm().brk(end, address_space_limits(task)); }

Result<void> sys_madvise(Task& task, uint64_t address, uint64_t size, int advice) {
  return task.mm().madvise(address, size, advice);
}

Result<size_t> sys_process_madvise(Task& task, int pidfd, uint64_t iovec, uint64_t count, int advice,
                                   uint32_t flags) {
  constexpr int kWillneed = 3, kCold = 20, kPageout = 21;
  if (flags) return Errno::inval;
  IovecArgument ranges;
  TRY(ranges.read(task, iovec, count));
  Ref<ThreadGroup> group = TRY(group_of_pidfd(task, pidfd));
  Ref<Task> target = next_thread_of(*group, 0);
  if (!target) return Errno::srch;
  if (advice != kWillneed && advice != kCold && advice != kPageout) return Errno::inval;
  Ref<mm::AddressSpace> space = target->mm_ref();
  if (!space) return Errno::srch;
  if (!may_inspect(*target, InspectAs::fs_creds)) return Errno::acces;
  if (!task.creds().has(fs::Cap::sys_nice)) return Errno::perm;
  size_t done = 0;
  for (const mm::IoSegment& s : ranges.segments()) {
    Result<void> result = space->madvise(s.address, s.size, advice);
    if (!result) return done ? Result<size_t>(done) : result.error();
    done += s.size;
  }
  return done;
}

// As Linux does it since 4.0: a mapping of other pages in the place of the old one.
Result<void> sys_remap_file_pages(Task& task, uint64_t address, uint64_t size, uint32_t prot, uint64_t page,
                                  uint32_t) {
  constexpr uint32_t kFixed = 0x10;
  address &= ~mm::kPageMask, size &= ~mm::kPageMask;
  if (prot || address + size <= address || page + size / mm::kPageSize < page) return Errno::inval;
  mm::MmapRequest r;
  r.address = address, r.size = size, r.flags = kMapShared | kFixed, r.offset = page * mm::kPageSize;
  uint64_t end = address;  // of what is mapped of one file in one way
  task.mm().for_each_vma(address, [&](const mm::Vma& v) {
    if (v.start > end || !v.shared || !v.file) return false;
    if (end == address) r.file = v.file, r.prot = v.prot, r.max_prot = v.max_prot;
    if (v.file.get() != r.file.get() || v.prot != r.prot || v.max_prot != r.max_prot) return false;
    end = v.end;
    return end < address + size;
  });
  if (end < address + size) return Errno::inval;
  TRY(task.mm().mmap(std::move(r), address_space_limits(task)));
  return {};
}

Result<void> sys_msync(Task& task, uint64_t address, uint64_t size, int flags) {
  return task.mm().msync(address, size, flags);
}

namespace {
Result<void> may_lock(const Task& task) {
  if (task.group().limits.soft(Resource::memlock) == 0 && !task.creds().has(fs::Cap::ipc_lock))
    return Errno::perm;
  return {};
}
}  // namespace

Result<void> sys_mlock(Task& task, uint64_t address, uint64_t size) {
  TRY(may_lock(task));
  return task.mm().mlock(address, size, true, address_space_limits(task));
}

Result<void> sys_mlock2(Task& task, uint64_t address, uint64_t size, uint32_t flags) {
  constexpr uint32_t kOnFault = 1;
  if (flags & ~kOnFault) return Errno::inval;
  return sys_mlock(task, address, size);
}

Result<void> sys_munlock(Task& task, uint64_t address, uint64_t size) {
  return task.mm().mlock(address, size, false, address_space_limits(task));
}

Result<void> sys_mlockall(Task& task, uint32_t flags) {
  if (flags == 0 || flags & ~7u || flags == 4) return Errno::inval;
  TRY(may_lock(task));
  return task.mm().mlock_all(flags, address_space_limits(task));
}

Result<void> sys_munlockall(Task& task) { return task.mm().mlock_all(0, address_space_limits(task)); }

Result<void> sys_mincore(Task& task, uint64_t address, uint64_t size, uint64_t out) {
  if (address & mm::kPageMask) return Errno::inval;
  if (size > arch::kUserEnd || address > arch::kUserEnd - size) return Errno::nomem;
  uint64_t pages = mm::page_up(size) / mm::kPageSize;
  uint8_t chunk[512];
  for (uint64_t done = 0; done < pages;) {
    size_t n = std::min<uint64_t>(pages - done, sizeof chunk);
    TRY(task.mm().mincore(address + done * mm::kPageSize, std::span(chunk, n)));
    TRY(mm::copy_out_bytes(task.mm(), out + done, chunk, n));
    done += n;
  }
  return {};
}

}  // namespace runsc::kernel
