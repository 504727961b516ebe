// set_mempolicy(2), mbind(2), move_pages(2) and their family, as a Linux with CONFIG_NUMA has them on a
// machine of one node: policies are kept and shown, and all memory is where it should be.
#include <algorithm>

#include "kernel/inspect.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/syscalls/memory.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

using mm::kPageMask;
using mm::UserPtr;

constexpr uint32_t kDefault = 0, kPreferred = 1, kBind = 2, kInterleave = 3, kLocal = 4, kPreferredMany = 5,
                   kWeightedInterleave = 6;
constexpr uint32_t kStaticNodes = 1 << 15, kRelativeNodes = 1 << 14, kBalancing = 1 << 13;
constexpr uint32_t kModeFlags = kStaticNodes | kRelativeNodes | kBalancing;
// Vma::policy and Task::memory_policy: mode and flags as the application gave them; below, that its nodes are
// node 0, and with kStaticNodes or kRelativeNodes the nodes that it named, of the first few, which it is
// shown again.
constexpr uint32_t kHasNode = 1 << 16;
constexpr unsigned kNamedShift = 17;
constexpr uint32_t kMove = 2, kMoveAll = 4, kStrict = 1;

// A mask of `max` - 1 bits, 0: none. EINVAL: too long, or it names what cannot be; EFAULT.
Result<uint64_t> read_nodes(Task& task, uint64_t mask, uint64_t max) {
  if (max == 0 || --max == 0 || mask == 0) return uint64_t{0};
  if (max > mm::kPageSize * 8) return Errno::inval;
  uint64_t first = 0;
  for (uint64_t at = 0; at < max; at += 64) {
    uint64_t word = TRY(mm::copy_in(task.mm(), UserPtr<uint64_t>(mask + at / 8)));
    if (max - at < 64) word &= (uint64_t{1} << (max - at)) - 1;
    if (at == 0)
      first = word;
    else if (word)
      return Errno::inval;
  }
  return first;
}

// What a policy asked for becomes here. EINVAL.
Result<uint32_t> parse_policy(uint32_t mode, uint64_t nodes) {
  const uint32_t flags = mode & kModeFlags;
  mode &= ~kModeFlags;
  if (mode > kWeightedInterleave) return Errno::inval;
  if ((flags & kStaticNodes) && (flags & kRelativeNodes)) return Errno::inval;
  if ((flags & kBalancing) && mode != kBind && mode != kPreferredMany) return Errno::inval;
  const bool named = flags & (kStaticNodes | kRelativeNodes);
  if (mode == kDefault) return nodes ? Result<uint32_t>(Errno::inval) : kDefault;
  if (mode == kLocal || (mode == kPreferred && !nodes)) {
    if (nodes || named) return Errno::inval;
    return kLocal;
  }
  // Relative nodes fold onto those that there are.
  if (!nodes || (!(flags & kRelativeNodes) && !(nodes & 1))) return Errno::inval;
  return mode | flags | kHasNode | (named ? static_cast<uint32_t>(nodes) << kNamedShift : 0);
}

uint64_t shown_nodes(uint32_t policy) {
  if (policy & (kStaticNodes | kRelativeNodes)) return policy >> kNamedShift;
  return policy & kHasNode ? 1 : 0;
}

Result<void> write_nodes(Task& task, uint64_t mask, uint64_t max, uint64_t nodes) {
  uint64_t bytes = (max - 1 + 63) / 64 * 8;
  if (bytes > sizeof nodes) {
    if (bytes > mm::kPageSize) return Errno::inval;
    TRY(mm::zero_out(task.mm(), mask + sizeof nodes, bytes - sizeof nodes));
    bytes = sizeof nodes;
  }
  return mm::copy_out_bytes(task.mm(), mask, &nodes, bytes);
}

// Pages of an address space of another, or (0) its own. EPERM, ESRCH; EINVAL: it ends.
Result<Ref<mm::AddressSpace>> space_of(Task& task, int pid) {
  if (pid == 0) return task.mm_ref();
  Ref<Task> target = find_task(task, pid);
  if (!target) return Errno::srch;
  if (!may_inspect(*target, InspectAs::real_creds)) return Errno::perm;
  Ref<mm::AddressSpace> space = target->mm_ref();
  if (!space) return Errno::inval;
  return space;
}

int32_t status_of(mm::AddressSpace& space, uint64_t address) {
  Result<bool> there = space.has_page(address);
  if (!there) return -static_cast<int32_t>(Errno::fault);
  return *there ? 0 : -static_cast<int32_t>(Errno::noent);
}

}  // namespace

Result<void> sys_set_mempolicy(Task& task, uint32_t mode, uint64_t mask, uint64_t max) {
  const uint64_t nodes = TRY(read_nodes(task, mask, max));
  task.memory_policy = TRY(parse_policy(mode, nodes));
  return {};
}

Result<void> sys_get_mempolicy(Task& task, uint64_t mode, uint64_t mask, uint64_t max, uint64_t address,
                               uint32_t flags) {
  constexpr uint32_t kNode = 1, kAddress = 2, kAllowed = 4;
  if (mask && max < 1) return Errno::inval;
  if (flags & ~(kNode | kAddress | kAllowed)) return Errno::inval;
  int32_t value = 0;
  uint64_t nodes = 1;
  if (flags & kAllowed) {
    if (flags & (kNode | kAddress)) return Errno::inval;
  } else {
    uint32_t policy = task.memory_policy;
    if (flags & kAddress)
      policy = TRY(task.mm().policy_at(address));
    else if (address)
      return Errno::inval;
    const uint32_t kind = policy & 0x1fff;
    if (flags & kNode) {
      if (!(flags & kAddress) && kind != kInterleave && kind != kWeightedInterleave) return Errno::inval;
      // It is asked where the page is: so there is one.
      uint8_t byte;
      if (flags & kAddress) TRY(mm::copy_in_bytes(task.mm(), &byte, address, sizeof byte));
    } else {
      value = static_cast<int32_t>(policy & 0xffff);
    }
    nodes = shown_nodes(policy);
  }
  if (mode) TRY(mm::copy_out(task.mm(), UserPtr<int32_t>(mode), value));
  return mask ? write_nodes(task, mask, max, nodes) : Result<void>();
}

Result<void> sys_mbind(Task& task, uint64_t address, uint64_t size, uint32_t mode, uint64_t mask,
                       uint64_t max, uint32_t flags) {
  const uint64_t nodes = TRY(read_nodes(task, mask, max));
  const uint32_t policy = TRY(parse_policy(mode, nodes));
  if (flags & ~(kStrict | kMove | kMoveAll)) return Errno::inval;
  if ((flags & kMoveAll) && !task.creds().has(fs::Cap::sys_nice)) return Errno::perm;
  if (address & kPageMask) return Errno::inval;
  size = mm::page_up(size);
  if (address + size < address) return Errno::inval;
  return size ? task.mm().set_policy(address, size, policy) : Result<void>();
}

Result<void> sys_set_mempolicy_home_node(Task& task, uint64_t address, uint64_t size, uint64_t node,
                                         uint64_t flags) {
  if ((address & kPageMask) || flags || node != 0) return Errno::inval;
  const uint64_t end = address + mm::page_up(size);
  if (end < address) return Errno::inval;
  Result<void> result = end == address ? Result<void>() : Errno::noent;
  task.mm().for_each_vma(address, [&](const mm::Vma& v) {
    if (v.start >= end) return false;
    if (v.policy == kDefault) return true;
    const uint32_t kind = v.policy & 0x1fff;
    result = kind == kBind || kind == kPreferredMany ? Result<void>() : Errno::opnotsupp;
    return result.has_value();
  });
  return result;
}

Result<uint64_t> sys_migrate_pages(Task& task, int pid, uint64_t max, uint64_t from, uint64_t to) {
  (void)TRY(read_nodes(task, from, max));
  const uint64_t nodes = TRY(read_nodes(task, to, max));
  (void)TRY(space_of(task, pid));
  if ((nodes & ~uint64_t{1}) && !task.creds().has(fs::Cap::sys_nice)) return Errno::perm;
  if (!(nodes & 1)) return Errno::inval;
  return uint64_t{0};  // pages that could not be moved
}

Result<uint64_t> sys_move_pages(Task& task, int pid, uint64_t count, uint64_t pages, uint64_t nodes,
                                uint64_t status, uint32_t flags) {
  if (flags & ~(kMove | kMoveAll)) return Errno::inval;
  if ((flags & kMoveAll) && !task.creds().has(fs::Cap::sys_nice)) return Errno::perm;
  const Ref<mm::AddressSpace> space = TRY(space_of(task, pid));
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t page = TRY(mm::copy_in(task.mm(), UserPtr<uint64_t>(pages + i * sizeof(uint64_t))));
    if (nodes && TRY(mm::copy_in(task.mm(), UserPtr<int32_t>(nodes + i * sizeof(int32_t)))) != 0)
      return Errno::nodev;
    TRY(mm::copy_out(task.mm(), UserPtr<int32_t>(status + i * sizeof(int32_t)), status_of(*space, page)));
    if (i % 1024 != 1023) continue;
    sched_breathe();
    // From the start again, so only for what ends the process.
    if (task.group().must_leave.load(std::memory_order_relaxed)) return Errno::intr;
  }
  return uint64_t{0};
}

}  // namespace runsc::kernel
