// Vec<T>: a growable array whose growth can fail.
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <utility>

#include "kernel/base/alloc.h"
#include "kernel/base/check.h"
#include "kernel/base/result.h"

namespace runsc {

template <class T>
class Vec {
 public:
  constexpr Vec() = default;
  Vec(Vec&& o) noexcept { swap(o); }
  Vec& operator=(Vec&& o) noexcept {
    Vec gone(std::move(o));
    swap(gone);
    return *this;
  }
  ~Vec() {
    clear();
    kfree(data_, capacity_ * sizeof(T));
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) {
    CHECK(i < size_, "Vec index out of range");
    return data_[i];
  }
  const T& operator[](size_t i) const {
    CHECK(i < size_, "Vec index out of range");
    return data_[i];
  }
  T& back() { return (*this)[size_ - 1]; }
  std::span<T> span() { return {data_, size_}; }
  std::span<const T> span() const { return {data_, size_}; }

  // ENOMEM; the contents stay.
  Result<void> reserve(size_t n) {
    if (n <= capacity_) return {};
    if (n > ~size_t{0} / 2 / sizeof(T)) return Errno::nomem;
    size_t cap = capacity_ ? capacity_ : 4;
    while (cap < n) cap *= 2;
    T* fresh = static_cast<T*>(kalloc(cap * sizeof(T)));
    if (!fresh) return Errno::nomem;
    for (size_t i = 0; i < size_; ++i) {
      new (fresh + i) T(std::move(data_[i]));
      data_[i].~T();
    }
    kfree(data_, capacity_ * sizeof(T));
    data_ = fresh;
    capacity_ = cap;
    return {};
  }
  Result<void> push_back(T value) {
    TRY(reserve(size_ + 1));
    new (data_ + size_++) T(std::move(value));
    return {};
  }
  // New elements are value-initialised.
  Result<void> resize(size_t n) {
    if (n < size_) {
      for (size_t i = n; i < size_; ++i) data_[i].~T();
      size_ = n;
      return {};
    }
    TRY(reserve(n));
    while (size_ < n) new (data_ + size_++) T();
    return {};
  }
  void pop_back() {
    CHECK(size_ > 0, "pop_back of an empty Vec");
    data_[--size_].~T();
  }
  void erase(size_t i) {
    CHECK(i < size_, "Vec index out of range");
    for (size_t j = i; j + 1 < size_; ++j) data_[j] = std::move(data_[j + 1]);
    pop_back();
  }
  Result<void> insert(size_t i, T value) {
    CHECK(i <= size_, "Vec index out of range");
    TRY(push_back(std::move(value)));
    for (size_t j = size_ - 1; j > i; --j) std::swap(data_[j], data_[j - 1]);
    return {};
  }
  void clear() {
    while (size_ > 0) data_[--size_].~T();
  }
  void swap(Vec& o) {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    std::swap(capacity_, o.capacity_);
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace runsc
