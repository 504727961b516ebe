// Host only. The streams of one process: between what containerd names and what the container holds.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "shim/io/console.h"
#include "shim/io/logger.h"
#include "shim/io/pump.h"
#include "shim/runtime/runtime.h"

namespace runsc::shim {

struct StdioPaths {
  std::string in;
  std::string out;
  std::string err;
  bool terminal = false;
};

// What opening streams needs to know around it.
struct IoContext {
  asio::io_context& loop;
  Reaper& reaper;
  std::string name_space;
  std::string id;              // of the container
  std::string console_prefix;  // of paths of sockets, which must be short
  uid_t uid = 0;               // owner of the pipes
  gid_t gid = 0;
};

// The shim keeps both ends of each of containerd's pipes open, so that a containerd that goes away and comes
// back breaks none.
class ProcessIo {
 public:
  static Async<oci::Expected<std::unique_ptr<ProcessIo>>> open(IoContext context, StdioPaths paths);
  explicit ProcessIo(IoContext context) : context_(std::move(context)) {}
  ProcessIo(const ProcessIo&) = delete;
  ProcessIo& operator=(const ProcessIo&) = delete;
  ~ProcessIo() { close(); }

  // For the runtime's command; valid until started().
  Streams streams() const;
  // The runtime's command is done: the process has its ends, the terminal's master is here.
  oci::Expected<void> started();

  // No more input comes from this side: the process sees the end once all other writers have closed.
  void close_stdin();
  // EINVAL's text without a terminal.
  oci::Expected<void> resize(unsigned columns, unsigned rows);
  // Until the output written so far was passed on. The object may be gone before it returns.
  Async<void> drain() const { return drain_all(output_, errors_); }
  void close();

 private:
  oci::Expected<void> open_input(const std::string& path);
  oci::Expected<void> open_terminal(const StdioPaths& paths);
  oci::Expected<void> open_pipes(const StdioPaths& paths);
  oci::Expected<void> give_to_owner(const oci::UniqueFd& pipe) const;
  static Async<void> drain_all(std::shared_ptr<Pump> output, std::shared_ptr<Pump> errors);

  IoContext context_;
  // The process's ends.
  oci::UniqueFd in_;
  oci::UniqueFd out_;
  oci::UniqueFd err_;
  // This side's.
  oci::UniqueFd input_source_;  // until the pump has it
  oci::UniqueFd input_keeper_;  // a writer, so that the input has no end before close_stdin()
  oci::UniqueFd terminal_sink_;
  oci::UniqueFd terminal_;
  std::optional<ConsoleSocket> console_;
  std::unique_ptr<Logger> logger_;
  std::shared_ptr<Pump> input_;
  std::shared_ptr<Pump> output_;
  std::shared_ptr<Pump> errors_;
};

}  // namespace runsc::shim
