#include "net/endpoint.h"

#include "net/socket_filter.h"

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

Ref<SocketFilter> Endpoint::filter() const {
  if (!has_filter_.load(std::memory_order_acquire)) return {};
  LockGuard guard(filter_lock_);
  return filter_;
}

void Endpoint::inherit_filter(const Endpoint& listener) {
  Ref<SocketFilter> filter = listener.filter();
  LockGuard guard(filter_lock_);
  has_filter_.store(static_cast<bool>(filter), std::memory_order_release);
  filter_ = std::move(filter);
}

// EPERM: locked; ENOENT: there is none to be taken away.
Result<void> Endpoint::set_filter(Ref<SocketFilter> filter) {
  LockGuard guard(filter_lock_);
  if (options.has(option_bit::lock_filter)) return Errno::perm;
  if (!filter && !filter_) return Errno::noent;
  has_filter_.store(static_cast<bool>(filter), std::memory_order_release);
  std::swap(filter_, filter);
  return {};
}

// struct sock_fprog.
Result<void> Endpoint::attach_filter(const Caller& caller, uint64_t address, uint32_t size) {
  struct {
    uint16_t count;
    uint64_t at;
  } program;
  if (size != sizeof program) return Errno::inval;
  TRY(mm::copy_in_bytes(caller.space, &program, address, sizeof program));
  if (options.has(option_bit::lock_filter)) return Errno::perm;
  if (program.at == 0 || program.count == 0 || program.count > kBpfMaxInstructions) return Errno::inval;
  Vec<BpfInstruction> instructions;
  TRY(instructions.resize(program.count));
  TRY(mm::copy_in_bytes(caller.space, instructions.data(), program.at,
                        program.count * sizeof(BpfInstruction)));
  return set_filter(TRY(SocketFilter::create(std::move(instructions))));
}

// SO_GET_FILTER counts instructions, not bytes.
Result<uint32_t> Endpoint::give_filter(const Caller& caller, uint64_t address, uint32_t size) {
  Ref<SocketFilter> filter = this->filter();
  if (!filter) return uint32_t{0};
  const std::span<const BpfInstruction> program = filter->program();
  const auto count = static_cast<uint32_t>(program.size());
  if (size == 0) return count | kGivenInPart;
  if (size < count) return Errno::inval;
  TRY(mm::copy_out_bytes(caller.space, address, program.data(), program.size_bytes()));
  return count;
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
