#include <unistd.h>

#include "oci/cmd/version.h"
#include "oci/host/file_io.h"
#include "shim/cli/commands.h"
#include "types.pb.h"

namespace runsc::shim {

oci::Expected<void> print_info() {
  ::containerd::types::RuntimeInfo info;
  info.set_name("io.containerd.runsc.v1");
  info.mutable_version()->set_version(oci::kRelease);
  return oci::write_all(STDOUT_FILENO, info.SerializeAsString(), "stdout");
}

}  // namespace runsc::shim
