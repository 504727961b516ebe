#include "kvm/arch/common/user_regs.h"
#include "kvm/arch/ring0/per_cpu.h"

extern "C" {
size_t runsc_copy_raw(void* to, const void* from, size_t size);
size_t runsc_zero_raw(void* to, size_t size);
int runsc_load32_raw(const void* from, uint32_t* value);
int runsc_cmpxchg32_raw(void* at, uint32_t expected, uint32_t desired, uint32_t* old);
}

namespace runsc::arch {

namespace {

using hostcall::CpuShared;

// This CPU may touch user memory while one lives.
class UserAccess {
 public:
  explicit UserAccess(UserSpace& space) : cpu_(ring0::this_cpu()) {
    // A full fence, as in run_user.
    cpu_.state->exchange(ring0::kCopying, std::memory_order_seq_cst);
    ring0::tlb_catch_up(cpu_, space);
    if (runsc_cpu_features & hostcall::kFeatureSmap) asm volatile("stac" ::: "memory");
  }
  ~UserAccess() {
    if (runsc_cpu_features & hostcall::kFeatureSmap) asm volatile("clac" ::: "memory");
    // Release: the accesses are over when a shooter sees it.
    cpu_.state->store(CpuShared::kernel, std::memory_order_release);
  }
  UserAccess(const UserAccess&) = delete;

 private:
  ring0::PerCpu& cpu_;
};

// SAFETY: user addresses, in the space that CR3 holds; a fault ends the access.
void* user(uint64_t address) { return reinterpret_cast<void*>(address); }

size_t within_user(uint64_t address, size_t size) {
  if (address >= kUserEnd) return 0;
  return size > kUserEnd - address ? kUserEnd - address : size;
}

}  // namespace

size_t copy_from_user(UserSpace& space, void* to, uint64_t from, size_t size) {
  size = within_user(from, size);
  UserAccess access(space);
  return size - runsc_copy_raw(to, user(from), size);
}

size_t copy_to_user(UserSpace& space, uint64_t to, const void* from, size_t size) {
  size = within_user(to, size);
  UserAccess access(space);
  return size - runsc_copy_raw(user(to), from, size);
}

size_t zero_user(UserSpace& space, uint64_t to, size_t size) {
  size = within_user(to, size);
  UserAccess access(space);
  return size - runsc_zero_raw(user(to), size);
}

bool user_load32(UserSpace& space, uint64_t address, uint32_t& value) {
  if (address >= kUserEnd || address % 4 != 0) return false;
  UserAccess access(space);
  return runsc_load32_raw(user(address), &value) != 0;
}

bool user_cmpxchg32(UserSpace& space, uint64_t address, uint32_t expected, uint32_t desired, uint32_t& old) {
  if (address >= kUserEnd || address % 4 != 0) return false;
  UserAccess access(space);
  return runsc_cmpxchg32_raw(user(address), expected, desired, &old) != 0;
}

Result<void> copy_from_window(void* to, uint64_t window_phys, size_t size) {
  if (runsc_copy_raw(to, phys_to_virt(window_phys), size) != 0) return Errno::io;
  return {};
}

}  // namespace runsc::arch
