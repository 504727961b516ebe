// process_vm_readv(2), process_vm_writev(2).
#include <algorithm>

#include "kernel/inspect.h"
#include "kernel/pid.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/tasks.h"
#include "mm/io_buf.h"

namespace runsc::kernel {

namespace {

constexpr size_t kPiece = 1024;

// What the other itself could do: ptrace(2) may do more, these calls not.
bool allows(mm::AddressSpace& space, uint64_t address, bool write) {
  bool allowed = false;
  space.for_each_vma(address, [&](const mm::Vma& v) {
    allowed = v.start <= address && mm::has(v.prot, write ? mm::Prot::write : mm::Prot::read);
    return false;
  });
  return allowed;
}

// One stretch of the other's memory. Ends early where that cannot be had, or ours.
Result<size_t> move_stretch(mm::AddressSpace& other, mm::IoSegment there, mm::IoBuf& here, bool write) {
  std::byte piece[kPiece];
  size_t done = 0;
  while (done < there.size && here.remaining() > 0) {
    size_t want =
        std::min({kPiece, static_cast<size_t>(there.size - done), static_cast<size_t>(here.remaining())});
    want = std::min<size_t>(want, mm::kPageSize - ((there.address + done) & mm::kPageMask));
    if (!allows(other, there.address + done, write)) break;
    size_t moved;
    if (write) {
      auto got = here.peek(piece, want);
      if (!got) return done ? Result<size_t>(done) : got.error();
      auto put = other.write_remote(there.address + done, {piece, *got});
      moved = put ? *put : 0;
      here.advance(moved);
    } else {
      auto got = other.read_remote(there.address + done, {piece, want});
      moved = 0;
      if (got) moved = TRY(here.put(piece, *got));
    }
    done += moved;
    if (moved < want) break;
  }
  return done;
}

Result<size_t> process_vm(Task& task, int pid, uint64_t local, uint64_t local_count, uint64_t remote,
                          uint64_t remote_count, uint64_t flags, bool write) {
  if (flags != 0) return Errno::inval;
  IovecArgument ours, theirs;
  TRY(ours.read(task, local, local_count));
  if (ours.total() == 0) return size_t{0};
  TRY(theirs.read(task, remote, remote_count));
  if (theirs.total() == 0) return size_t{0};
  Ref<Task> target = find_task(task, pid);
  if (!target) return Errno::srch;
  if (!may_inspect(*target, InspectAs::real_creds)) return Errno::perm;
  Ref<mm::AddressSpace> space = target->mm_ref();
  if (!space) return Errno::srch;
  mm::IoBuf here(task.mm(), ours.segments());
  size_t done = 0;
  for (const mm::IoSegment& there : theirs.segments()) {
    if (there.size == 0) continue;
    auto moved = move_stretch(*space, there, here, write);
    if (moved) done += *moved;
    if (!moved || *moved < there.size) break;
  }
  if (done == 0) return Errno::fault;
  return done;
}

}  // namespace

Result<size_t> sys_process_vm_readv(Task& task, int pid, uint64_t local, uint64_t local_count,
                                    uint64_t remote, uint64_t remote_count, uint64_t flags) {
  return process_vm(task, pid, local, local_count, remote, remote_count, flags, false);
}

Result<size_t> sys_process_vm_writev(Task& task, int pid, uint64_t local, uint64_t local_count,
                                     uint64_t remote, uint64_t remote_count, uint64_t flags) {
  return process_vm(task, pid, local, local_count, remote, remote_count, flags, true);
}

}  // namespace runsc::kernel
