// Result<T>: a value or an Errno. TRY(expr) takes the value or returns the error to the caller.
#pragma once

#include <expected>
#include <utility>

#include "kernel/base/errno.h"

namespace runsc {

// std::expected that cannot be dropped by accident; trivial T's travel in two registers.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Errno> {
 public:
  using Base = std::expected<T, Errno>;
  using Base::Base;
  constexpr Result(Errno e) : Base(std::unexpected<Errno>(e)) {}
  constexpr Result(Base b) : Base(std::move(b)) {}
};

template <>
class [[nodiscard]] Result<void> : public std::expected<void, Errno> {
 public:
  using Base = std::expected<void, Errno>;
  using Base::Base;
  constexpr Result(Errno e) : Base(std::unexpected<Errno>(e)) {}
};

namespace detail {
template <class T>
constexpr T&& take(Result<T>& r) {
  return std::move(*r);
}
constexpr void take(Result<void>&) {}
}  // namespace detail

}  // namespace runsc

#define TRY(expr)                       \
  ({                                    \
    auto try_result_ = (expr);          \
    if (!try_result_) [[unlikely]]      \
      return try_result_.error();       \
    ::runsc::detail::take(try_result_); \
  })
