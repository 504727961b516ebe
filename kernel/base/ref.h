// Ref<T>: shared ownership by an intrusive count.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernel/base/alloc.h"

namespace runsc {

// Base of a shared object. T derives from RefCounted<T>; the last drop calls T::destroy (delete), unless T
// declares `void last_ref()`, which then decides. Counts start at 1: adopt with Ref<T>::adopt.
template <class T>
class RefCounted : public HeapObject {
 public:
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  void ref() const { count_.fetch_add(1, std::memory_order_relaxed); }
  void unref() const {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    auto* self = const_cast<T*>(static_cast<const T*>(this));
    if constexpr (requires { self->last_ref(); }) {
      self->last_ref();
    } else {
      delete self;
    }
  }
  // For caches that hold plain pointers: false when the object is already on its way out.
  bool try_ref() const {
    uint32_t n = count_.load(std::memory_order_relaxed);
    while (n != 0)
      if (count_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) return true;
    return false;
  }
  uint32_t ref_count() const { return count_.load(std::memory_order_relaxed); }

 protected:
  RefCounted() = default;
  ~RefCounted() = default;

 private:
  mutable std::atomic<uint32_t> count_{1};
};

template <class T>
class Ref {
 public:
  constexpr Ref() = default;
  constexpr Ref(decltype(nullptr)) {}
  explicit Ref(T& t) : p_(&t) { p_->ref(); }
  Ref(const Ref& o) : p_(o.p_) {
    if (p_) p_->ref();
  }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <class U>
  requires std::is_convertible_v<U*, T*> Ref(const Ref<U>& o) : p_(o.get()) {
    if (p_) p_->ref();
  }
  template <class U>
  requires std::is_convertible_v<U*, T*> Ref(Ref<U>&& o) : p_(o.leak()) {}
  ~Ref() {
    if (p_) p_->unref();
  }
  Ref& operator=(Ref o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  // Takes over a count that the caller owns (a new object's first).
  static Ref adopt(T* p) {
    Ref r;
    r.p_ = p;
    return r;
  }
  T* get() const { return p_; }
  T& operator*() const { return *p_; }
  T* operator->() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }
  // Gives the count to the caller.
  T* leak() { return std::exchange(p_, nullptr); }

 private:
  T* p_ = nullptr;
};

// make_ref<T>(args...): null when memory is out.
template <class T, class... Args>
[[nodiscard]] Ref<T> make_ref(Args&&... args) {
  return Ref<T>::adopt(new (std::nothrow) T(std::forward<Args>(args)...));
}

}  // namespace runsc
