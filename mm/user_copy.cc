#include "mm/user_copy.h"

#include <algorithm>

#include "kernel/base/cpu_hooks.h"
#include "mm/address_space.h"
#include "mm/page_fault.h"
#include "mm/urgent_copy.h"

namespace runsc::mm {
namespace {

constinit std::atomic<CopyHook> g_no_memory{nullptr};
constinit UrgentCopyHooks g_urgent{};  // constant after boot

// What is whole or fails, a structure or an array of them; and what goes in parts, where parts that are
// smaller than a page are often all there is, as of a message.
constexpr size_t kUrgentWhole = 64 << 10, kUrgentPart = kPageSize - 1;
enum class Urgency : bool { none, urgent };

bool resolve(AddressSpace& space, uint64_t address, uint32_t error, Urgency urgency) {
  FaultResult result = space.fault(address, error);
  if (result == FaultResult::oom && urgency == Urgency::urgent && g_urgent.begin) {
    const bool before = g_urgent.begin();
    result = space.fault(address, error);
    g_urgent.end(before);
  }
  if (result == FaultResult::oom)
    if (const CopyHook hook = g_no_memory.load(std::memory_order_relaxed)) hook();
  return result == FaultResult::ok;
}

// A fault that "succeeds" without making the access work is a race with another thread's fault, and passes.
// An access that never works (a window page whose host file has shrunk between the look-up and the access)
// ends here.
constexpr uint32_t kMaxIdleRounds = 1 << 16;

// Runs step(done) -> bytes moved until `size` or a fault that cannot be resolved; returns the bytes moved.
template <class Step>
size_t move_bytes(AddressSpace& space, uint64_t address, size_t size, uint32_t error, size_t urgent_size,
                  Step&& step) {
  const Urgency urgency = size <= urgent_size ? Urgency::urgent : Urgency::none;
  phys_top_up();
  size_t done = 0;
  for (uint32_t idle = 0; done < size;) {
    size_t n = step(done);
    done += n;
    if (done >= size) break;
    idle = n ? 0 : idle + 1;
    if (idle > kMaxIdleRounds) break;
    if (idle > 1) spin_relax(idle);
    if (address + done < address || !resolve(space, address + done, error, urgency)) break;
  }
  return done;
}

size_t in(AddressSpace& space, void* to, uint64_t from, size_t size, size_t urgent_size) {
  return move_bytes(space, from, size, 0, urgent_size, [&](size_t done) {
    return arch::copy_from_user(space.user_space(), static_cast<std::byte*>(to) + done, from + done,
                                size - done);
  });
}

size_t out(AddressSpace& space, uint64_t to, const void* from, size_t size, size_t urgent_size) {
  return move_bytes(space, to, size, kFaultWrite, urgent_size, [&](size_t done) {
    return arch::copy_to_user(space.user_space(), to + done, static_cast<const std::byte*>(from) + done,
                              size - done);
  });
}

Result<void> all_or_fault(size_t moved, size_t size) {
  if (moved != size) return Errno::fault;
  return {};
}

Result<size_t> some_or_fault(size_t moved, size_t size) {
  if (moved == 0 && size != 0) return Errno::fault;
  return moved;
}

}  // namespace

void set_copy_hook(CopyHook no_memory) { g_no_memory.store(no_memory, std::memory_order_relaxed); }
void set_urgent_copy_hooks(const UrgentCopyHooks& hooks) { g_urgent = hooks; }

Result<void> copy_in_bytes(AddressSpace& space, void* to, uint64_t from, size_t size) {
  return all_or_fault(in(space, to, from, size, kUrgentWhole), size);
}

Result<void> copy_out_bytes(AddressSpace& space, uint64_t to, const void* from, size_t size) {
  return all_or_fault(out(space, to, from, size, kUrgentWhole), size);
}

Result<size_t> copy_in_some(AddressSpace& space, void* to, uint64_t from, size_t size) {
  return some_or_fault(in(space, to, from, size, kUrgentPart), size);
}

Result<size_t> copy_out_some(AddressSpace& space, uint64_t to, const void* from, size_t size) {
  return some_or_fault(out(space, to, from, size, kUrgentPart), size);
}

Result<size_t> zero_out_some(AddressSpace& space, uint64_t to, size_t size) {
  size_t done = move_bytes(space, to, size, kFaultWrite, kUrgentPart, [&](size_t so_far) {
    return arch::zero_user(space.user_space(), to + so_far, size - so_far);
  });
  return some_or_fault(done, size);
}

Result<void> zero_out(AddressSpace& space, uint64_t to, size_t size) {
  return all_or_fault(TRY(zero_out_some(space, to, size)), size);
}

Result<String> copy_in_string(AddressSpace& space, uint64_t from, size_t max) {
  constexpr size_t kPiece = 256;
  char piece[kPiece];
  Vec<char> text;
  for (size_t done = 0; done < max;) {
    // Never past the page: the string may end before an unmapped one.
    size_t want =
        std::min({kPiece, max - done, static_cast<size_t>(kPageSize - ((from + done) & kPageMask))});
    size_t n = TRY(copy_in_some(space, piece, from + done, want));
    auto* nul = static_cast<char*>(__builtin_memchr(piece, 0, n));
    size_t length = nul ? static_cast<size_t>(nul - piece) : n;
    if (nul && text.empty()) return String::from({piece, length});
    TRY(text.reserve(text.size() + length));
    for (size_t i = 0; i < length; ++i) TRY(text.push_back(piece[i]));
    if (nul) return String::from({text.data(), text.size()});
    if (n < want) return Errno::fault;
    done += n;
  }
  return Errno::nametoolong;
}

Result<uint32_t> load_user32(AddressSpace& space, uint64_t address) {
  if (address & 3) return Errno::inval;
  uint32_t value = 0;
  size_t done = move_bytes(space, address, sizeof value, 0, kUrgentPart, [&](size_t) -> size_t {
    return arch::user_load32(space.user_space(), address, value) ? sizeof value : 0;
  });
  if (done == 0) return Errno::fault;
  return value;
}

Result<uint32_t> cmpxchg_user32(AddressSpace& space, uint64_t address, uint32_t expected, uint32_t desired) {
  if (address & 3) return Errno::inval;
  uint32_t old = 0;
  size_t done = move_bytes(space, address, sizeof old, kFaultWrite, kUrgentPart, [&](size_t) -> size_t {
    return arch::user_cmpxchg32(space.user_space(), address, expected, desired, old) ? sizeof old : 0;
  });
  if (done == 0) return Errno::fault;
  return old;
}

}  // namespace runsc::mm
