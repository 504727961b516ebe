#include "oci/sandbox/pid_file.h"

#include <cstdio>

#include "oci/host/file_io.h"

namespace runsc::oci {

Expected<void> write_pid_file(const std::string& path, pid_t pid) {
  if (path.empty()) return {};
  const std::string fresh = path + ".new";
  OCI_TRY_VOID(write_file(fresh, std::to_string(pid)));
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno(path);
  return {};
}

}  // namespace runsc::oci
