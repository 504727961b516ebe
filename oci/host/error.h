// Host only. Errors of the command line and of the launch: one line of text for the user and the exit status
// that the command ends with.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace runsc::oci {

// A mistake in the command line, in config.json or on the host: what runc answers with.
inline constexpr int kExitError = 1;
// The sandbox or its VM cannot start.
inline constexpr int kExitSandbox = 128;

struct Error {
  std::string text;
  int exit_status = kExitError;
};

template <typename T>
using Expected = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string text, int exit_status = kExitError) {
  return std::unexpected(Error{std::move(text), exit_status});
}

// "what: strerror(number)".
std::string with_errno(std::string what, int number);
// fail() with the text of errno as it is on entry.
std::unexpected<Error> fail_errno(std::string what, int exit_status = kExitError);

}  // namespace runsc::oci

// Unwraps an Expected or returns its error from the function around it. Each has a name of its own, since one
// may stand in the operand of another.
#define OCI_TRY(expression) OCI_TRY_COUNTED(expression, __COUNTER__)
#define OCI_TRY_COUNTED(expression, number) OCI_TRY_NUMBERED(expression, number)
#define OCI_TRY_NUMBERED(expression, number) OCI_TRY_AS(expression, oci_try_result_##number)
#define OCI_TRY_AS(expression, result)                              \
  ({                                                                \
    auto result = (expression);                                     \
    if (!result) return std::unexpected(std::move(result).error()); \
    std::move(*result);                                             \
  })
#define OCI_TRY_VOID(expression)                                                  \
  do {                                                                            \
    auto oci_try_void_ = (expression);                                            \
    if (!oci_try_void_) return std::unexpected(std::move(oci_try_void_).error()); \
  } while (false)
