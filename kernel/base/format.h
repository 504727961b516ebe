// The sentry's formatter: "{}" with integers, strings, chars, bools and pointers; "{:x}" hex, "{:08x}"
// padded,
// "{:5}" right-aligned, "{:<5}" left-aligned, "{:o}" octal. No floating point, no allocation.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "kernel/base/result.h"
#include "kernel/base/vec.h"

namespace runsc {

// Where text goes.
class TextSink {
 public:
  virtual void write(std::string_view s) = 0;

 protected:
  ~TextSink() = default;
};

// One argument, type-erased.
struct FormatArg {
  enum class Kind : uint8_t { u64, i64, text, character } kind;
  union {
    uint64_t u;
    int64_t i;
    char c;
    struct {
      const char* data;
      size_t size;
    } s;
  };
  template <std::unsigned_integral T>
  constexpr FormatArg(T v) : kind(Kind::u64), u(v) {}
  template <std::signed_integral T>
  constexpr FormatArg(T v) : kind(Kind::i64), i(v) {}
  constexpr FormatArg(char v) : kind(Kind::character), c(v) {}
  constexpr FormatArg(bool v) : FormatArg(std::string_view(v ? "true" : "false")) {}
  constexpr FormatArg(std::string_view v) : kind(Kind::text), s{v.data(), v.size()} {}
  constexpr FormatArg(const char* v) : FormatArg(std::string_view(v)) {}
  FormatArg(const void* v) : kind(Kind::u64), u(reinterpret_cast<uintptr_t>(v)) {}
  template <class T>
  requires std::is_enum_v<T>
  constexpr FormatArg(T v) : FormatArg(static_cast<std::underlying_type_t<T>>(v)) {}
  template <class T>
  requires(std::is_convertible_v<const T&, std::string_view>&& std::is_class_v<T> &&
           !std::is_same_v<T, std::string_view>) constexpr FormatArg(const T& v)
      : FormatArg(static_cast<std::string_view>(v)) {}
};

void vformat(TextSink& out, std::string_view fmt, std::span<const FormatArg> args);

template <class... Args>
void format(TextSink& out, std::string_view fmt, const Args&... args) {
  const FormatArg list[] = {FormatArg(args)..., FormatArg(uint64_t{0})};
  vformat(out, fmt, std::span(list, sizeof...(Args)));
}

// Text in a fixed array; what does not fit is cut.
class FixedText final : public TextSink {
 public:
  explicit FixedText(std::span<char> room) : room_(room) {}
  void write(std::string_view s) override {
    for (char c : s) {
      if (size_ == room_.size()) return;
      room_[size_++] = c;
    }
  }
  std::string_view view() const { return {room_.data(), size_}; }

 private:
  std::span<char> room_;
  size_t size_ = 0;
};

// Growing text; remembers when memory ran out.
class HeapText final : public TextSink {
 public:
  void write(std::string_view s) override {
    if (failed_ || !bytes_.reserve(bytes_.size() + s.size())) {
      failed_ = true;
      return;
    }
    for (char c : s) (void)bytes_.push_back(c);
  }
  std::string_view view() const { return {bytes_.data() ? bytes_.data() : "", bytes_.size()}; }
  // ENOMEM if any write was lost.
  Result<void> status() const {
    if (failed_) return Errno::nomem;
    return {};
  }
  Vec<char> take() { return std::move(bytes_); }

 private:
  Vec<char> bytes_;
  bool failed_ = false;
};

}  // namespace runsc
