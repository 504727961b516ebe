// Host only. The entry of runsc.
#include <unistd.h>

#include <exception>
#include <string>
#include <vector>

#include "oci/cmd/command.h"

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
    return runsc::oci::run_command_line(args);
  } catch (const std::exception& error) {
    const std::string line = std::string("runsc: ") + error.what() + "\n";
    [[maybe_unused]] const ssize_t put = ::write(STDERR_FILENO, line.data(), line.size());
    return runsc::oci::kExitError;
  }
}
