#include "net/endpoint.h"

namespace runsc::net {

namespace {
constinit std::atomic<uint64_t> g_next_cookie{1};
}

WaitPoint::WaitPoint(bool no_waiting) : nonblocking(no_waiting) {}
WaitPoint::~WaitPoint() = default;

Errno WaitPoint::at(Endpoint& endpoint, WaitQueue& wait_queue, uint32_t wait_events) {
  if (owner.get() != &endpoint) owner = Ref<Endpoint>(endpoint);
  queue = &wait_queue;
  events = wait_events;
  return Errno::again;
}

Endpoint::Endpoint(Ref<NetworkNamespace> net, int domain, int type, int protocol)
    : net_(std::move(net)), domain_(domain), type_(type), protocol_(protocol) {}

Endpoint::~Endpoint() = default;

uint64_t Endpoint::cookie() {
  uint64_t none = 0;
  uint64_t fresh = cookie_.load(std::memory_order_relaxed);
  if (fresh) return fresh;
  fresh = g_next_cookie.fetch_add(1, std::memory_order_relaxed);
  if (cookie_.compare_exchange_strong(none, fresh, std::memory_order_relaxed)) return fresh;
  return none;
}

Result<void> Endpoint::bind(const Caller&, std::span<const std::byte>) { return Errno::opnotsupp; }
Result<void> Endpoint::listen(const Caller&, int) { return Errno::opnotsupp; }
Result<Ref<Endpoint>> Endpoint::accept(WaitPoint&) { return Errno::opnotsupp; }
Result<void> Endpoint::connect(const Caller&, std::span<const std::byte>, WaitPoint&) {
  return Errno::opnotsupp;
}
Result<void> Endpoint::pair(const Caller&, Endpoint&) { return Errno::opnotsupp; }
Result<size_t> Endpoint::send(SendMessage&) { return Errno::opnotsupp; }
Result<size_t> Endpoint::receive(ReceiveMessage&) { return Errno::opnotsupp; }
Result<void> Endpoint::shutdown(uint32_t) { return Errno::opnotsupp; }
Result<uint64_t> Endpoint::ioctl(uint32_t, uint64_t, const fs::IoctlContext&) { return Errno::notty; }
Result<void> Endpoint::set_option(const Caller&, int, int, uint64_t, uint32_t) { return Errno::opnotsupp; }
Result<uint32_t> Endpoint::get_option(const Caller&, int, int, uint64_t, uint32_t) {
  return Errno::opnotsupp;
}

}  // namespace runsc::net
