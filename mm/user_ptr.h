// UserPtr<T>: an address in the current task's user space. A number: only mm/user_copy.h moves bytes.
#pragma once

#include <cstdint>

namespace runsc::mm {

template <class T>
class UserPtr {
 public:
  constexpr UserPtr() = default;
  explicit constexpr UserPtr(uint64_t address) : address_(address) {}
  constexpr uint64_t address() const { return address_; }
  constexpr bool is_null() const { return address_ == 0; }
  constexpr UserPtr offset(uint64_t elements) const {
    if constexpr (__is_same(T, void))
      return UserPtr(address_ + elements);
    else
      return UserPtr(address_ + elements * sizeof(T));
  }
  template <class U>
  constexpr UserPtr<U> cast() const {
    return UserPtr<U>(address_);
  }

 private:
  uint64_t address_ = 0;
};

}  // namespace runsc::mm
