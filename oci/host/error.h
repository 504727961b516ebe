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

// Unwraps an Expected or returns its error from the function around it.
#define OCI_TRY(expression)                                                           \
  ({                                                                                  \
    auto oci_try_result_ = (expression);                                              \
    if (!oci_try_result_) return std::unexpected(std::move(oci_try_result_).error()); \
    std::move(*oci_try_result_);                                                      \
  })
#define OCI_TRY_VOID(expression)                                                      \
  do {                                                                                \
    auto oci_try_result_ = (expression);                                              \
    if (!oci_try_result_) return std::unexpected(std::move(oci_try_result_).error()); \
  } while (false)
