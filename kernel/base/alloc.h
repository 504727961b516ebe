// Object memory of the sentry. In ring 0 a slab over guest pages, in hosted builds the host's malloc (so that
// sanitizers see every object). Defined by the build: mm/slab.cc (ring 0), kvm/arch/hosted (hosted).
#pragma once

#include <cstddef>
#include <new>
#include <utility>

#include "kernel/base/account.h"

namespace runsc {

// Returns `size` bytes aligned to 16 (to 64 when size >= 64), or nullptr. Contents undefined. Never sleeps.
// The account for which this CPU works pays.
[[nodiscard]] void* kalloc(size_t size);
// Another one pays, however much it has already.
[[nodiscard]] void* kalloc_for(AccountId account, size_t size);
// What an object of this size takes, and its account pays.
size_t kalloc_takes(size_t size);
// `size` is the one given to kalloc; p may be null.
void kfree(void* p, size_t size);

// Owns one heap object. Null after a failed make<T>().
template <class T>
class Unique {
 public:
  constexpr Unique() = default;
  constexpr Unique(decltype(nullptr)) {}
  explicit Unique(T* p) : p_(p) {}
  Unique(Unique&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Unique& operator=(Unique&& o) noexcept {
    if (this != &o) reset(o.release());
    return *this;
  }
  ~Unique() { reset(); }
  T* get() const { return p_; }
  T& operator*() const { return *p_; }
  T* operator->() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }
  T* release() { return std::exchange(p_, nullptr); }
  void reset(T* p = nullptr) {
    T* old = std::exchange(p_, p);
    if (old) T::destroy(old);
  }

 private:
  T* p_ = nullptr;
};

// Mix-in that gives a class its allocation size for kfree, also through a base pointer: `destroy` is found by
// the static type, so a polymorphic base must have a virtual destructor and derive from HeapObject itself.
class HeapObject {
 public:
  static void* operator new(size_t size, const std::nothrow_t&) noexcept;
  static void* operator new(size_t, void* p) noexcept { return p; }
  static void operator delete(void* p) noexcept;
  static void operator delete(void* p, const std::nothrow_t&) noexcept { operator delete(p); }
  template <class T>
  static void destroy(T* p) {
    delete p;
  }
};

// make<T>(args...) : Unique<T>, null when memory is out. T derives from HeapObject.
template <class T, class... Args>
[[nodiscard]] Unique<T> make(Args&&... args) {
  return Unique<T>(new (std::nothrow) T(std::forward<Args>(args)...));
}

}  // namespace runsc
