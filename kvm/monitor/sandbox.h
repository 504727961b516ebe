// What oci/ asks of the VM side: one sandbox = one VM = one sentry in this process.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "kvm/monitor/error.h"
#include "kvm/monitor/services/commands.h"
#include "kvm/monitor/wire/wire_pump.h"

namespace runsc::monitor {

struct SandboxConfig {
  enum class Mode { automatic, ring0, hosted };
  Mode mode = Mode::automatic;
  uint64_t memory_limit = 0;  // bytes, > 0
  unsigned cpus = 1;          // 1..hostcall::kMaxCpus
  std::string container;      // hostcall/container_spec.h bytes
  std::vector<int> donated;   // fds, taken over; handle i = donated[i]. Directories, files, stdio
  int debug_log_fd = -1;      // sentry log and strace lines go here; -1: nowhere
  unsigned log_level = 2;     // LogLevel
  bool strace = false;
  bool host_fifo = false;  // FIFOs beneath donated directories may be opened
};

struct HostFile;
struct Donation {
  std::vector<hostcall::Handle> handles;  // in the order of the descriptors
  // Which files those were: the sentry may have closed some, and their numbers may be others' by now.
  std::vector<std::weak_ptr<HostFile>> files;
};

class Sandbox {
 public:
  virtual ~Sandbox() = default;
  // Opens /dev/kvm, probes the mode, creates the VM, its memory and vCPU 0, loads the sentry. Before the
  // jail.
  static std::expected<std::unique_ptr<Sandbox>, Error> create(SandboxConfig config);
  // Starts the CPUs and returns the wait(2) status of the container's init, or an error after a sandbox crash
  // (whose report went to stderr and the debug log). After the jail; the caller's thread may become a CPU.
  virtual std::expected<int, Error> run() = 0;
  // Both from any thread or an async-signal context.
  virtual void signal(int signo) = 0;
  virtual void window_size(uint16_t rows, uint16_t columns) = 0;
  // While run() runs, from one thread; answers come as notices. Ignored after the end.
  virtual uint32_t command(Command command) = 0;
  virtual CommandQueue& commands() = 0;
  // More descriptors for the sentry, taken over. EMFILE.
  virtual std::expected<Donation, Error> donate(std::vector<UniqueFd> fds) = 0;
  // Takes back what is still there of it, after the sentry refused what it was for.
  virtual void withdraw(const Donation& donation) = 0;
  // Network interfaces, taken over; they get the next numbers. Before the sentry hears of them; also in the
  // jail. By one thread at a time. EMFILE.
  virtual std::expected<void, Error> add_wires(std::vector<WireFds> wires) = 0;
};

}  // namespace runsc::monitor
