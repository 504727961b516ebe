// The door of the monitor: takes a frame that the sentry filled, copies the request to private memory, has it
// served, and writes the reply back. The same for both modes.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "kvm/hostcall/frame.h"
#include "kvm/monitor/services/services.h"

namespace runsc::monitor {

class HostcallServer {
 public:
  // `services` outlives the server.
  HostcallServer(Services& services, unsigned cpus);

  // Serves the frame of `cpu`. One call at a time for each CPU, any number of CPUs at once. The frame may
  // change under us at any moment: it is read once. An unknown number is ENOSYS.
  void serve(unsigned cpu, hostcall::Frame& frame);

  // kWirePort, where KVM does not serve it itself. Any number.
  void kick_wire(std::uint32_t number) {
    if (WirePump* pump = services_.wires.find(number)) pump->kick();
  }

  // How often each call was made so far: "number:count" for those that were, in order of their numbers.
  std::string describe_counts() const;

 private:
  static constexpr unsigned kNumbers = 96;  // above every hostcall::Number
  struct Private {
    alignas(16) std::byte request[hostcall::kBodySize];
    alignas(16) std::byte reply[hostcall::kBodySize];
    std::atomic<std::uint64_t> counts[kNumbers] = {};  // written by the CPU's thread alone
  };
  Result<void> dispatch(unsigned cpu, hostcall::Number number, const hostcall::Frame& frame,
                        std::size_t& reply_size);
  Result<void> dispatch_system(unsigned cpu, hostcall::Number number, const hostcall::Frame& frame,
                               std::size_t& reply_size);
  Result<void> dispatch_files(unsigned cpu, hostcall::Number number, const hostcall::Frame& frame,
                              std::size_t& reply_size);

  template <class Call>
  const typename Call::Request& copy_request(unsigned cpu, const hostcall::Frame& frame);
  template <class Call>
  typename Call::Reply& make_reply(unsigned cpu, std::size_t& reply_size);

  Services& services_;
  std::vector<std::unique_ptr<Private>> private_;
};

}  // namespace runsc::monitor
