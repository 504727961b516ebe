#include "kvm/monitor/error.h"

#include <fmt/format.h>

#include <cstring>

namespace runsc::monitor {

std::unexpected<Error> fail(std::string message) {
  return std::unexpected<Error>(Error{std::move(message), 0});
}

std::unexpected<Error> fail_errno(std::string_view what, int code) {
  // strerrordesc_np: the GNU function that is safe in threads and allocates nothing.
  const char* text = strerrordesc_np(code);
  return std::unexpected<Error>(
      Error{fmt::format("{}: {}", what, text != nullptr ? text : "unknown error"), code});
}

}  // namespace runsc::monitor
