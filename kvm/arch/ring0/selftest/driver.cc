// Runs the self-test image in a sandbox of its own. Exit status 0: all passed; its log goes to standard
// output.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm/monitor/sandbox.h"

int main() {
  using namespace runsc::monitor;
  SandboxConfig config;
  config.mode = SandboxConfig::Mode::ring0;
  config.memory_limit = 64 << 20;
  config.cpus = 2;
  int file = memfd_create("window", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, 8192) != 0) return 2;
  config.donated = {file};
  config.debug_log_fd = dup(1);
  config.log_level = 3;
  auto sandbox = Sandbox::create(std::move(config));
  if (!sandbox) {
    fprintf(stderr, "%s\n", sandbox.error().message.c_str());
    return 2;
  }
  auto status = (*sandbox)->run();
  if (!status) {
    fprintf(stderr, "%s\n", status.error().message.c_str());
    return 1;
  }
  return *status;
}
