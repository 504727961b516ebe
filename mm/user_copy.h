// Moving bytes between the sentry and the current task's memory. Faults are resolved on the way (demand
// paging, copy-on-write, stack growth); EFAULT when an address cannot be. Callers hold no spinlock and no
// AddressSpace lock.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

#include "kernel/base/result.h"
#include "kernel/base/string.h"
#include "mm/user_ptr.h"

namespace runsc::mm {

// Called, on the CPU of the task, for each copy that found no memory for the user's; it then says EFAULT, or
// that it is short.
using CopyHook = void (*)();
void set_copy_hook(CopyHook no_memory);

class AddressSpace;

// All or EFAULT.
Result<void> copy_in_bytes(AddressSpace& space, void* to, uint64_t from, size_t size);
Result<void> copy_out_bytes(AddressSpace& space, uint64_t to, const void* from, size_t size);
Result<void> zero_out(AddressSpace& space, uint64_t to, size_t size);
// As much as possible; EFAULT only if nothing. For read(2)-like partial transfers.
Result<size_t> copy_in_some(AddressSpace& space, void* to, uint64_t from, size_t size);
Result<size_t> copy_out_some(AddressSpace& space, uint64_t to, const void* from, size_t size);
Result<size_t> zero_out_some(AddressSpace& space, uint64_t to, size_t size);
// A NUL-terminated string of at most `max` bytes with its NUL: ENAMETOOLONG if longer, EFAULT.
Result<String> copy_in_string(AddressSpace& space, uint64_t from, size_t max);
// Futex words: aligned, else EINVAL; EFAULT.
Result<uint32_t> load_user32(AddressSpace& space, uint64_t address);
Result<uint32_t> cmpxchg_user32(AddressSpace& space, uint64_t address, uint32_t expected,
                                uint32_t desired);  // old value

template <class T>
concept UserStruct = std::is_trivially_copyable_v<T>;
template <class T>
concept UserOutStruct = UserStruct<T> && std::has_unique_object_representations_v<T>;

template <UserStruct T>
Result<T> copy_in(AddressSpace& space, UserPtr<T> from) {
  T value;
  TRY(copy_in_bytes(space, &value, from.address(), sizeof value));
  return value;
}
template <UserOutStruct T>
Result<void> copy_out(AddressSpace& space, UserPtr<T> to, const T& value) {
  return copy_out_bytes(space, to.address(), &value, sizeof value);
}
template <UserStruct T>
Result<void> copy_in_array(AddressSpace& space, std::span<T> to, UserPtr<T> from) {
  return copy_in_bytes(space, to.data(), from.address(), to.size_bytes());
}
template <UserOutStruct T>
Result<void> copy_out_array(AddressSpace& space, UserPtr<T> to, std::span<const T> from) {
  return copy_out_bytes(space, to.address(), from.data(), from.size_bytes());
}

}  // namespace runsc::mm
