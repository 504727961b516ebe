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

// A name of its own for each, since one may stand in the operand of another.
#define TRY(expr) RUNSC_TRY_COUNTED(expr, __COUNTER__)
#define RUNSC_TRY_COUNTED(expr, number) RUNSC_TRY_NUMBERED(expr, number)
#define RUNSC_TRY_NUMBERED(expr, number) RUNSC_TRY_AS(expr, try_result_##number)
#define RUNSC_TRY_AS(expr, result) \
  ({                               \
    auto result = (expr);          \
    if (!result) [[unlikely]]      \
      return result.error();       \
    ::runsc::detail::take(result); \
  })
