// Hostcalls that concern the sandbox as a whole.
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/base/log.h"
#include "kvm/monitor/services/path_ops.h"
#include "kvm/monitor/services/services.h"
#include "kvm/monitor/tsc.h"

namespace runsc::monitor {

Result<void> serve_log(Services& s, const hc::Log::Request& request) {
  ValidText line = parse_log(request);
  line.text += '\n';
  // An error is for the person who started the container: why it did not run, for instance.
  if (line.level == static_cast<unsigned>(LogLevel::error)) {
    const std::string shown = "runsc: " + line.text;
    if (::write(STDERR_FILENO, shown.data(), shown.size()) < 0) return {};
  }
  if (s.log_fd < 0) return {};
  // One write a line: lines of several CPUs do not mix. A log that cannot be written is no reason to stop.
  if (::write(s.log_fd, line.text.data(), line.text.size()) < 0) return {};
  return {};
}

Result<void> serve_clock_anchor(Services& s, hc::ClockAnchor::Reply& reply) {
  ClockAnchor anchor = read_clock_anchor();
  reply.tsc = anchor.tsc + static_cast<std::uint64_t>(s.tsc_offset);
  reply.realtime_ns = anchor.realtime_ns;
  reply.monotonic_ns = anchor.monotonic_ns;
  return {};
}

Result<void> serve_random(Services&, const hc::Random::Request& request, hc::Random::Reply& reply) {
  if (request.size == 0 || request.size > sizeof reply.bytes) return Errno::inval;
  // getrandom(2): up to 256 bytes come whole once the pool is initialized.
  if (::getrandom(reply.bytes, request.size, 0) != static_cast<ssize_t>(request.size)) return Errno::io;
  return {};
}

Result<void> serve_memory_grow(Services& s, const hc::MemoryGrow::Request& request,
                               hc::MemoryGrow::Reply& reply) {
  if (request.phys_end > s.memory.limit()) return Errno::nomem;
  if (!s.memory.ensure(request.phys_end)) return Errno::nomem;
  reply.phys_end = s.memory.ram_end();
  return {};
}

Result<void> serve_memory_release(Services& s, const hc::Ranges& request) {
  ValidRanges valid = TRY(parse_page_ranges(request, s.bounds));
  if (!s.memory.release(std::span(valid.at).first(valid.count))) return Errno::io;
  return {};
}

Result<void> serve_take_events(Services& s, hc::TakeEvents::Reply& reply) {
  reply.count = s.events.take(reply.events);
  return {};
}

}  // namespace runsc::monitor
