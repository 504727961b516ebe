// Host only. A pipe whose two ends are owned.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::shim {

struct Pipe {
  oci::UniqueFd read;
  oci::UniqueFd write;
};

inline oci::Expected<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return oci::fail_errno("pipe");
  return Pipe{oci::UniqueFd(ends[0]), oci::UniqueFd(ends[1])};
}

}  // namespace runsc::shim
