#include "oci/host/error.h"

#include <cerrno>
#include <cstring>

namespace runsc::oci {

std::string with_errno(std::string what, int number) {
  what += ": ";
  what += strerrordesc_np(number) != nullptr ? strerrordesc_np(number) : std::to_string(number).c_str();
  return what;
}

std::unexpected<Error> fail_errno(std::string what, int exit_status) {
  return fail(with_errno(std::move(what), errno), exit_status);
}

}  // namespace runsc::oci
