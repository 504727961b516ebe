// The seam between the two builds of the sentry. Above it nothing knows the mode. kvm/arch/ring0 and
// kvm/arch/hosted each define everything declared here; what must be inline comes from their "arch_inline.h",
// found by include path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/base/account.h"
#include "kernel/base/lock.h"
#include "kernel/base/result.h"
#include "kvm/hostcall/boot_info.h"
#include "kvm/hostcall/client.h"
// kTrapsAreDear, kTablesAreShadowed
#include "arch_costs.h"

namespace runsc::arch {

// ---- Memory that the sentry can always reach
// -------------------------------------------------------------------

// The direct map: RAM below BootInfo::ram_ready and window ranges that are mapped. Inline.
inline void* phys_to_virt(uint64_t phys);
inline uint64_t virt_to_phys(const void* direct_map_address);

// Copies out of the file window, whose pages can vanish under us (the host file shrank). EIO when one does;
// the destination is then undefined.
Result<void> copy_from_window(void* to, uint64_t window_phys, size_t size);
// Called when MemoryGrow made more RAM usable: extends the direct map. ENOMEM.
Result<void> direct_map_extend(uint64_t phys_end);

// ---- CPUs
// ------------------------------------------------------------------------------------------------------

// What the scheduler keeps per CPU; the seam only gives it a home.
struct CpuLocal {
  unsigned id = 0;
  void* current = nullptr;         // kernel::Task running here
  void* scheduler = nullptr;       // kernel's run queue
  Parker* parker = nullptr;        // of `current`, or of the CPU before tasks run
  bool look = true;                // the scheduler has something to look at before user code runs
  AccountId account = kNoAccount;  // who pays for what `current` takes
  bool unrefused = false;  // whatever the account has already: objects of the sentry, no pages of users
  AccountStock stock;
};
CpuLocal& cpu_local();  // never keep the reference across a context switch
unsigned cpu_count();
hostcall::Shared& shared();
const hostcall::BootInfo& boot_info();

uint64_t tsc();

// What the CPUID instruction shows to applications.
struct CpuidRegs {
  uint32_t eax, ebx, ecx, edx;
};
CpuidRegs user_cpuid(uint32_t leaf, uint32_t subleaf);

// Leaves the CPU to the host until the deadline, a cpu_wake() or an event; may return early.
void cpu_idle(uint64_t deadline_tsc);
// Ends cpu_idle() there, or makes run_user() there return TrapKind::interrupt. Any CPU but oneself, any
// context.
void cpu_wake(unsigned cpu);

// ---- Kernel stacks and contexts
// --------------------------------------------------------------------------------

// A stack with an unmapped guard page below. ENOMEM.
struct KernelStack {
  std::byte* base = nullptr;
  size_t size = 0;
};
Result<KernelStack> stack_alloc();
void stack_free(KernelStack stack);

struct Context {
  uint64_t rsp = 0;
  void* fiber[3] = {};  // sanitizers' view of the stack
  KernelStack stack;
};
// entry(arg) starts on the stack at the first switch and must not return.
void context_init(Context& context, KernelStack stack, void (*entry)(void*), void* arg);
// An execution that switches away for the last time passes `dying` so that sanitizers forget its stack.
void context_switch(Context& from, Context& to, bool dying = false);

// ---- User mode
// -------------------------------------------------------------------------------------------------

// General registers of a task in user mode, in the order of user_regs_struct without segments.
struct UserRegs {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
  uint64_t orig_rax;  // system call number while in one, else ~0
  uint64_t rip, rflags, rsp;
};

enum class TrapKind : uint8_t { syscall, page_fault, exception, interrupt, bus_error };
struct Trap {
  TrapKind kind;
  uint8_t vector;    // exception: 0 #DE, 1 #DB, 3 #BP, 6 #UD, 13 #GP, 16 #MF, 17 #AC, 19 #XM ...
  uint32_t error;    // page_fault: bit 0 present, 1 write, 4 instruction fetch. exception: error code
  uint64_t address;  // page_fault: linear address. bus_error: 0, the machine does not tell
};

// Page-table side of an address space: mm owns one per AddressSpace.
struct UserSpace {
  uint64_t root_phys = 0;                   // top page table; upper half filled by user_space_init
  SpinLock pte_lock{LockRank::page_table};  // every store to a PTE of this space is under it
  std::atomic<uint64_t> active_cpus{0};     // ring 0: CPUs with this root in CR3
  std::atomic<uint64_t> tlb_generation{0};  // ring 0: bumped by every shoot-down
};
// Makes a zeroed page (its physical address in root_phys) a top page table that run_user can use.
void user_space_init(UserSpace& space);
// Before the page tables are freed: no CPU uses the space afterwards.
void user_space_retire(UserSpace& space);

// Translations that were changed or removed and must not be used again. Any number may be added: neighbours
// merge, and a full batch covers more than it must. A page-table page that was unlinked is added too, before
// it is freed: add(an address that it translated, its physical address, 4096), so that no walk reads it after
// its reuse.
class TlbBatch {
 public:
  // From user address `address` on, `size` bytes that were mapped to `old_phys` on.
  void add(uint64_t address, uint64_t old_phys, uint64_t size);
  bool empty() const { return count_ == 0 && !everything_; }
  void clear() { count_ = 0, everything_ = false; }

  // For tlb_shootdown: what the side shoots at, [low, high), in no order.
  static constexpr size_t kMax = 48;
  struct Span {
    uint64_t low, high;
  };
  std::span<Span> spans() { return {spans_, count_}; }
  bool everything() const { return everything_; }  // ring 0 alone: spans() does not hold all

 private:
  void thin_out();
  Span spans_[kMax];  // hosted: physical addresses; ring 0: user addresses
  size_t count_ = 0;
  bool everything_ = false;
};
// After return no CPU, in user mode or in a user copy, uses an old translation of the batch; only then may
// the old pages be reused. Not under spinlocks except mm's own sleeping locks. Empties the batch. Not needed
// where a not-present entry became present, or an entry only gained permissions: such faults retry.
void tlb_shootdown(UserSpace& space, TlbBatch& batch);
// Only called where kTablesAreShadowed: after return the machine holds nothing that it derived from page
// tables of any space; pages that were unlinked from page tables, or roots of retired spaces, may be used
// anew. (Hosted: adding and deleting a memory slot that nobody uses makes KVM drop every shadow page; 0.05 ms
// idle, 2 ms beside running vCPUs. MADV_DONTNEED does not do it: a shadow of a reused table keeps its old
// links and leaves.) Sleeps; no locks held.
void flush_retired_tables();

// Machine state of one task in user mode besides UserRegs: vector state, segment bases (hosted: a vCPU).
class UserState;
Result<UserState*> user_state_create();  // ENOMEM; reset state
void user_state_destroy(UserState* state);
Result<void> user_state_copy(UserState& to, UserState& from);  // fork, clone; `from` is the current task's
void user_state_reset(UserState& state);                       // execve
uint64_t fs_base(UserState& state);
uint64_t gs_base(UserState& state);
void set_fs_base(UserState& state, uint64_t base);  // canonical user address, checked by the caller
void set_gs_base(UserState& state, uint64_t base);
// XSAVE area in standard format, boot_info().xsave_size bytes, of the current task. Load validates: EINVAL
// for reserved header or MXCSR bits.
void xstate_save(UserState& state, std::span<std::byte> out);
Result<void> xstate_load(UserState& state, std::span<const std::byte> in);

// The scheduler tells of every change of the task on this CPU; next may be null (idle), space null likewise.
void user_switch(UserState* prev, UserState* next, UserSpace* next_space);

// Runs the current task's user code until its next trap. Interrupts of this CPU may end it
// (TrapKind::interrupt). For syscall, regs.rcx and r11 are what SYSCALL leaves, orig_rax == rax == the number
// as given. Sanitizes rip, rflags as needed: nothing that user code or sigreturn(2) put into regs can harm.
Trap run_user(UserState& state, UserSpace& space, UserRegs& regs);

// ---- User memory (only mm/user_copy.cc calls these)
// ------------------------------------------------------------

// Bytes copied before the first fault (== size: all). Addresses are checked to be user addresses by the
// callee. The space is the current one. Under no spinlock.
size_t copy_from_user(UserSpace& space, void* to, uint64_t from, size_t size);
size_t copy_to_user(UserSpace& space, uint64_t to, const void* from, size_t size);
size_t zero_user(UserSpace& space, uint64_t to, size_t size);
// Atomics on an aligned user word. false: fault at the address (resolve, retry). `old` gets the previous
// value.
bool user_load32(UserSpace& space, uint64_t address, uint32_t& value);
bool user_cmpxchg32(UserSpace& space, uint64_t address, uint32_t expected, uint32_t desired, uint32_t& old);

// The user half: [0, kUserEnd).
inline constexpr uint64_t kUserEnd = 0x7ffffffff000;

}  // namespace runsc::arch

#include "arch_inline.h"
