// Errors of the host side: one line that a person can act on.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace runsc::monitor {

struct Error {
  std::string message;
  int code = 0;  // errno where a system call failed, else 0
};

template <typename T>
using Expected = std::expected<T, Error>;

std::unexpected<Error> fail(std::string message);

// "WHAT: strerror(code)". Call it with errno taken right after the call that failed.
std::unexpected<Error> fail_errno(std::string_view what, int code);

}  // namespace runsc::monitor

// Evaluates an Expected<void> or Expected<T>; leaves the calling function with its error, or yields its
// value.
#define MON_TRY(...)                                                     \
  ({                                                                     \
    auto mon_try_result = (__VA_ARGS__);                                 \
    if (!mon_try_result) return std::unexpected(mon_try_result.error()); \
    std::move(mon_try_result).value();                                   \
  })
