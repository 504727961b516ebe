#include "kernel/rseq.h"

#include "kernel/signal/send.h"
#include "kernel/task.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using mm::UserPtr;

namespace {

// struct rseq: offsets of what the kernel uses.
constexpr uint64_t kCpuIdStart = 0, kSequence = 8, kFlags = 16, kNodeId = 20;
constexpr uint32_t kUninitialized = ~0u;

struct Sequence {  // struct rseq_cs
  uint32_t version, flags;
  uint64_t start, length, abort;
};

struct CpuNumbers {
  uint32_t cpu_id_start, cpu_id;
};
struct MoreNumbers {
  uint32_t node_id, mm_cid;
};

Result<void> store_numbers(Task& task, CpuNumbers cpu, MoreNumbers more) {
  TRY(mm::copy_out(task.mm(), UserPtr<CpuNumbers>(task.rseq_address + kCpuIdStart), cpu));
  return mm::copy_out(task.mm(), UserPtr<MoreNumbers>(task.rseq_address + kNodeId), more);
}

// The concurrency id is the CPU's number: no two threads that run have the same, and it is below the number
// of CPUs.
Result<void> store_cpu(Task& task) {
  const uint32_t cpu = arch::cpu_local().id;
  return store_numbers(task, {cpu, cpu}, {0, cpu});
}

Result<Sequence> load_sequence(Task& task, uint64_t address) {
  if (address >= arch::kUserEnd) return Errno::inval;
  Sequence s = TRY(mm::copy_in(task.mm(), UserPtr<Sequence>(address)));
  uint64_t end;
  if (__builtin_add_overflow(s.start, s.length, &end)) return Errno::inval;
  if (s.start >= arch::kUserEnd || end >= arch::kUserEnd || s.abort >= arch::kUserEnd || s.version > 0)
    return Errno::inval;
  if (s.abort - s.start < s.length) return Errno::inval;
  uint32_t signature = 0;
  TRY(mm::copy_in_bytes(task.mm(), &signature, s.abort - sizeof signature, sizeof signature));
  if (signature != task.rseq_signature) return Errno::inval;
  return s;
}

// Takes the task out of the sequence it is in. One that it has left already is forgotten.
Result<void> abort_sequence(Task& task) {
  const UserPtr<uint64_t> pointer(task.rseq_address + kSequence);
  const uint64_t address = TRY(mm::copy_in(task.mm(), pointer));
  if (address == 0) return {};
  Sequence s = TRY(load_sequence(task, address));
  uint64_t& ip = task.regs().rip;
  const bool inside = ip - s.start < s.length;
  // Flags once meant "do not restart"; nobody may set them any more.
  if (inside && (s.flags || TRY(mm::copy_in(task.mm(), UserPtr<uint32_t>(task.rseq_address + kFlags)))))
    return Errno::inval;
  TRY(mm::copy_out(task.mm(), pointer, uint64_t{0}));
  if (inside) ip = s.abort;
  return {};
}

void fail(Task& task) { force_signal(task, abi::SigInfo(abi::sig::segv, abi::sig_code::kernel)); }

}  // namespace

Result<void> rseq_register(Task& task, uint64_t address, uint32_t size, uint32_t signature) {
  if (task.rseq_address) {
    if (task.rseq_address != address || task.rseq_size != size) return Errno::inval;
    return task.rseq_signature != signature ? Errno::perm : Errno::busy;
  }
  // The size of the first version, or room for all that is known today; both are to be aligned alike.
  if (size < kRseqSize || address % kRseqAlign) return Errno::inval;
  if (address > arch::kUserEnd || size > arch::kUserEnd - address) return Errno::fault;
  task.rseq_address = address;
  task.rseq_size = size;
  task.rseq_signature = signature;
  rseq_resume(task);
  return {};
}

Result<void> rseq_unregister(Task& task, uint64_t address, uint32_t size, uint32_t signature) {
  if (task.rseq_address == 0 || task.rseq_address != address || task.rseq_size != size) return Errno::inval;
  if (task.rseq_signature != signature) return Errno::perm;
  TRY(store_numbers(task, {0, kUninitialized}, {0, 0}));
  task.rseq_address = 0;
  task.rseq_size = 0;
  task.rseq_signature = 0;
  return {};
}

void rseq_resume(Task& task) {
  if (task.rseq_address == 0) return;
  if (!abort_sequence(task) || !store_cpu(task)) fail(task);
}

bool rseq_before_signal(Task& task) { return task.rseq_address == 0 || abort_sequence(task); }

}  // namespace runsc::kernel
