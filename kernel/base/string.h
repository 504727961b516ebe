// String: an owned, immutable-by-convention byte string (names, paths). May hold any byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "kernel/base/alloc.h"
#include "kernel/base/result.h"

namespace runsc {

class String {
 public:
  constexpr String() = default;
  String(String&& o) noexcept : data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)) {}
  String& operator=(String&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    return *this;
  }
  ~String() { kfree(data_, size_ + 1); }

  // ENOMEM.
  static Result<String> from(std::string_view s) {
    String r;
    r.data_ = static_cast<char*>(kalloc(s.size() + 1));
    if (!r.data_) return Errno::nomem;
    if (!s.empty()) __builtin_memcpy(r.data_, s.data(), s.size());
    r.data_[s.size()] = 0;
    r.size_ = s.size();
    return r;
  }
  static Result<String> concat(std::string_view a, std::string_view b) {
    String r;
    r.data_ = static_cast<char*>(kalloc(a.size() + b.size() + 1));
    if (!r.data_) return Errno::nomem;
    if (!a.empty()) __builtin_memcpy(r.data_, a.data(), a.size());
    if (!b.empty()) __builtin_memcpy(r.data_ + a.size(), b.data(), b.size());
    r.size_ = a.size() + b.size();
    r.data_[r.size_] = 0;
    return r;
  }
  Result<String> clone() const { return from(view()); }

  std::string_view view() const { return {data_ ? data_ : "", size_}; }
  operator std::string_view() const { return view(); }
  const char* c_str() const { return data_ ? data_ : ""; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  friend bool operator==(const String& a, std::string_view b) { return a.view() == b; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
};

// FNV-1a, for hash tables keyed by names.
constexpr uint32_t hash_bytes(std::string_view s, uint32_t h = 2166136261u) {
  for (char c : s) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
  return h;
}

}  // namespace runsc
