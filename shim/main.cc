// Host only. The entry of containerd-shim-runsc-v1.
#include <fmt/format.h>
#include <unistd.h>

#include <exception>
#include <string>
#include <vector>

#include "oci/cmd/version.h"
#include "oci/host/file_io.h"
#include "shim/cli/commands.h"

namespace runsc::shim {
namespace {

oci::Expected<void> run_program(const std::vector<std::string>& args) {
  const Arguments arguments = OCI_TRY(parse_arguments(args));
  if (arguments.version) {
    return oci::write_all(STDOUT_FILENO, fmt::format("containerd-shim-runsc-v1 {}\n", oci::kRelease),
                          "stdout");
  }
  if (arguments.info) return print_info();
  if (arguments.action == "start") return start_shim(arguments);
  if (arguments.action == "delete") return delete_container(arguments);
  const oci::Expected<void> served = serve_tasks(arguments);
  // The process that started this one tells it on.
  if (!served) (void)oci::write_all(kReadyFd, served.error().text, "ready");
  return served;
}

}  // namespace
}  // namespace runsc::shim

int main(int argc, char** argv) {
  std::string trouble;
  try {
    const auto done =
        runsc::shim::run_program(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
    if (done) return 0;
    trouble = done.error().text;
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  (void)runsc::oci::write_all(STDERR_FILENO, "containerd-shim-runsc-v1: " + trouble + "\n", "stderr");
  return 1;
}
