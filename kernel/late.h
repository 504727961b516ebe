// Late<T>: a global whose constructor runs at boot, by hand: there is no dynamic initialisation in ring 0.
// Never destroyed.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace runsc::kernel {

template <class T>
class Late {
 public:
  template <class... A>
  T& init(A&&... args) {
    return *new (room_) T(std::forward<A>(args)...);
  }
  // SAFETY: init() put a T there before anything asks for it.
  T& operator*() { return *std::launder(reinterpret_cast<T*>(room_)); }
  T* operator->() { return &**this; }

 private:
  alignas(T) std::byte room_[sizeof(T)] = {};
};

}  // namespace runsc::kernel
