// The life of a TCP socket: between the engine's wishes and the stack, poll(2), close(2).
#include "net/tcp/tcp_endpoint.h"

#include <algorithm>

#include "net/inet/inet_family.h"
#include "net/tcp/tcp_input.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {

constexpr uint32_t kFionread = 0x541b, kSiocoutq = 0x5411, kSiocatmark = 0x8905, kSiocoutqNsd = 0x894b;
constexpr uint32_t kAllEvents = in | rdnorm | out | wrnorm | hup | rdhup | err;
constexpr uint32_t kHeadersV4 = 40, kHeadersV6 = 60;

Result<Ref<Endpoint>> create_tcp(const Caller& caller, NetworkNamespace& net, int domain, int protocol) {
  (void)protocol;
  return Ref<Endpoint>(TRY(TcpEndpoint::create(caller, net, domain)));
}

}  // namespace

void tcp_init() {
  register_protocol(ip_protocol::tcp, {tcp_receive, tcp_error});
  register_inet_type(socket_type::stream, ip_protocol::tcp, create_tcp);
}

Result<Ref<TcpEndpoint>> TcpEndpoint::create(const Caller& caller, NetworkNamespace& net, int domain) {
  Ref<TcpEndpoint> endpoint = make_ref<TcpEndpoint>(caller, net, domain);
  if (!endpoint) return Errno::nomem;
  return endpoint;
}

TcpEndpoint::TcpEndpoint(const Caller& caller, NetworkNamespace& net, int domain)
    : InetEndpoint(caller, net, domain, socket_type::stream, ip_protocol::tcp, &net.inet().tcp) {
  const TcpSettings& s = sysctls();
  options.receive_buffer.store(s.receive_memory[1].load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
  options.send_buffer.store(s.send_memory[1].load(std::memory_order_relaxed), std::memory_order_relaxed);
  chosen_.keep_idle = uint64_t{s.keepalive_time.load(std::memory_order_relaxed)} * tcp::kSecond;
  chosen_.keep_interval = uint64_t{s.keepalive_interval.load(std::memory_order_relaxed)} * tcp::kSecond;
  chosen_.keep_probes = s.keepalive_probes.load(std::memory_order_relaxed);
  chosen_.syn_retries = static_cast<uint8_t>(s.syn_retries.load(std::memory_order_relaxed));
  chosen_.algorithm = static_cast<tcp::Algorithm>(s.congestion.load(std::memory_order_relaxed));
}

// A child takes what its listener was told; nobody else knows the child yet.
TcpEndpoint::TcpEndpoint(TcpEndpoint& listener) NO_THREAD_SAFETY_ANALYSIS : InetEndpoint(listener) {
  LockGuard guard(listener.lock_);
  chosen_ = listener.chosen_;
  send_buffer_fixed_ = listener.send_buffer_fixed_;
  receive_buffer_fixed_ = listener.receive_buffer_fixed_;
  user_mss_ = listener.user_mss_;
  not_sent_low_ = listener.not_sent_low_;
  linger2_ = listener.linger2_;
  report_inq_ = listener.report_inq_;
}

TcpEndpoint::~TcpEndpoint() {
  table()->remove(*this);
  if (counted_waiting_) stack().settings.tcp.time_waiting.fetch_sub(1, std::memory_order_relaxed);
}

// ---- the section ----

TcpEndpoint::Section::Section(TcpEndpoint& endpoint) : endpoint_(endpoint) { endpoint.lock_.lock(); }

TcpEndpoint::Section::~Section() {
  Later later;
  endpoint_.settle_locked(later);
  // Whoever is in a section keeps the endpoint.
  endpoint_.lock_.unlock();
  if (later.wake) endpoint_.queue().wake_all(later.wake);
  if (later.listener) later.listener->queue().wake(kTcpReadable);
}

// Sets the timer and gathers what must wait until the lock is free.
void TcpEndpoint::settle_locked(Later& later) {
  send_burst_locked();
  // tcp_max_tw_buckets: when there are too many, the new ones do without.
  const TcpSettings& sys = sysctls();
  if (connection_.view().state == tcp::State::time_wait && !counted_waiting_ &&
      sys.time_waiting.load(std::memory_order_relaxed) >= sys.max_tw_buckets.load(std::memory_order_relaxed))
    connection_.abort(Errno{}, now_us());
  const uint64_t at = connection_.deadline();
  if (at < armed_at_us_) {
    // Each firing, past or to come, owns a count.
    if (!alarm_.try_cancel()) ref();
    armed_at_us_ = at;
    alarm_.arm(at * 1000);
  } else if (connection_.view().state == tcp::State::closed && armed_at_us_ != tcp::kNever) {
    armed_at_us_ = tcp::kNever;
    if (alarm_.try_cancel()) later.alarm = Ref<TcpEndpoint>::adopt(this);
  }
  const bool waiting = connection_.view().state == tcp::State::time_wait;
  if (waiting) {
    const tcp::Tcb& t = connection_.view();
    waiting_stamped_.store(t.timestamps && t.ts_recent_us != 0, std::memory_order_relaxed);
    waiting_next_.store(tcp::number_after(t.snd_nxt), std::memory_order_relaxed);
  }
  if (waiting != counted_waiting_) {
    counted_waiting_ = waiting;
    auto& count = stack().settings.tcp.time_waiting;
    waiting ? count.fetch_add(1, std::memory_order_relaxed) : count.fetch_sub(1, std::memory_order_relaxed);
    waiting_since_us_.store(waiting ? now_us() : 0, std::memory_order_relaxed);
  }
  const uint32_t events = std::exchange(events_, 0u);
  const tcp::Tcb& c = connection_.view();
  if (events & tcp::event::changed) {
    if (c.fin_received) shut_ |= kReceiveShut;
    later.wake |= kAllEvents;
  }
  if (events & tcp::event::readable) later.wake |= kTcpReadable;
  if (events & tcp::event::urgent) later.wake |= pri;
  if (events & tcp::event::announced) later.wake |= kUrgentEvent;
  if (events & tcp::event::writable) later.wake |= kTcpWritable;
  if (no_space_ && writable_locked()) {
    no_space_ = false;
    later.wake |= kTcpWritable;
  }
  if (std::exchange(established_now_, false)) later.listener = listener_;
  later.dropped = std::move(dropped_);
}

// ---- what the engine wants ----

void TcpEndpoint::release(tcp::Seq acked) NO_THREAD_SAFETY_ANALYSIS {
  send_queue_.release(acked);
  if (!send_buffer_fixed_) set_send_buffer_locked();
}

void TcpEndpoint::ended() NO_THREAD_SAFETY_ANALYSIS {
  const tcp::Tcb& c = connection_.view();
  if (c.error != Errno{}) set_error(c.error);
  shut_ = kBothShut;
  if (listener_) {
    LockGuard guard(listener_->accept_lock_);
    if (in_half_) {
      in_half_ = false;
      --listener_->half_count_;
      listener_->half_.erase(listener_->half_.iterator_to(*this));
      dropped_ = Ref<TcpEndpoint>::adopt(this);  // the list's count
    }
  }
  // connect(2) says EISCONN until somebody has asked for AF_UNSPEC.
  if (c.orphan) stage_ = Stage::idle;
  if (c.orphan || !asked_port_) {
    table()->remove(*this);
  } else {
    table()->disconnect(*this, asked_local_, true);
  }
  if (self_) dropped_ = std::move(self_);
}

void TcpEndpoint::Alarm::fire() { owner_.on_alarm(); }

void TcpEndpoint::on_alarm() {
  Ref<TcpEndpoint> self = Ref<TcpEndpoint>::adopt(this);  // the firing's
  DrainAtEnd drain(stack());
  Section section(*this);
  armed_at_us_ = tcp::kNever;
  connection_.timer(now_us());
}

// ---- settings ----

uint32_t TcpEndpoint::mss_of(uint32_t mtu, const IpAddress& peer) const {
  const uint32_t headers = peer.is_v4() ? kHeadersV4 : kHeadersV6;
  // The total length of IPv4 and the payload length of IPv6 are 16 bits.
  const uint32_t most = peer.is_v4() ? 65535 : 65535 + kHeadersV4;
  mtu = std::min(mtu, most);
  return mtu > headers + 88 ? mtu - headers : 88;
}

tcp::Settings TcpEndpoint::settings_locked(uint32_t mtu) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const TcpSettings& sys = sysctls();
  tcp::Settings s = chosen_;
  s.route_mss = mss_of(mtu, peer_.address);
  s.user_mss = user_mss_;
  s.synack_retries = static_cast<uint8_t>(sys.synack_retries.load(kRelaxed));
  s.retries2 = static_cast<uint8_t>(sys.retries2.load(kRelaxed));
  const uint32_t orphan = sys.orphan_retries.load(kRelaxed);
  s.orphan_retries = static_cast<uint8_t>(orphan ? orphan : 8);
  s.timestamps = sys.timestamps.load(kRelaxed);
  s.sack = sys.sack.load(kRelaxed);
  s.window_scaling = sys.window_scaling.load(kRelaxed);
  s.keepalive = options.has(option_bit::keepalive);
  s.oob_inline = options.has(option_bit::oobinline);
  s.rfc1337 = sys.rfc1337.load(kRelaxed);
  s.fin_timeout = uint64_t{linger2_ > 0 ? static_cast<uint32_t>(linger2_) : sys.fin_timeout.load(kRelaxed)} *
                  tcp::kSecond;
  s.receive_buffer = options.receive_buffer.load(kRelaxed);
  s.receive_buffer_max = sys.receive_memory[2].load(kRelaxed);
  s.buffers_grow = !receive_buffer_fixed_ && sys.moderate_receive.load(kRelaxed);
  return s;
}

// Room for what the window lets out, twice (Linux's tcp_sndbuf_expand()).
void TcpEndpoint::set_send_buffer_locked() {
  const tcp::Tcb& c = connection_.view();
  if (!c.can_send()) return;
  const uint64_t most = sysctls().send_memory[2].load(std::memory_order_relaxed);
  const uint64_t flight =
      std::max<uint64_t>(c.congestion.window(), uint64_t{tcp::Congestion::kInitialSegments} * c.mss);
  const uint64_t wanted = std::min(2 * (flight + flight / 16), most);
  if (wanted > options.send_buffer.load(std::memory_order_relaxed))
    options.send_buffer.store(static_cast<uint32_t>(wanted), std::memory_order_relaxed);
}

bool TcpEndpoint::writable_locked() const {
  const tcp::Tcb& c = connection_.view();
  const uint64_t queued = c.unacknowledged(), room = options.send_buffer.load(std::memory_order_relaxed);
  return queued + queued / 2 <= room && c.unsent() < not_sent_low_;
}

// To its owner a connection in TIME_WAIT is closed.
tcp::State TcpEndpoint::shown_state() const {
  if (stage_ == Stage::listening) return tcp::State::listen;
  const tcp::State state = connection_.view().state;
  return state == tcp::State::time_wait ? tcp::State::closed : state;
}

// ---- what is asked ----

bool TcpEndpoint::listening() {
  LockGuard guard(lock_);
  return stage_ == Stage::listening;
}

uint32_t TcpEndpoint::poll() {
  LockGuard guard(lock_);
  uint32_t bits = (error() ? err : 0) | error_poll();
  const tcp::Tcb& c = connection_.view();
  const tcp::State state = shown_state();
  if (state == tcp::State::listen) {
    LockGuard accept(accept_lock_);
    return bits | (ready_.empty() ? 0 : kTcpReadable);
  }
  if (shut_ == kBothShut || state == tcp::State::closed) bits |= hup;
  if (shut_ & kReceiveShut) bits |= kTcpReadable | rdhup;
  if (state == tcp::State::syn_sent || state == tcp::State::syn_received) return bits;
  const auto low = static_cast<uint32_t>(std::max(options.receive_low.load(std::memory_order_relaxed), 1));
  uint32_t readable = c.readable();
  // The urgent byte at the mark is not one to read.
  if (c.urgent != tcp::Urgent::none && c.urgent_seq == c.copied_seq && !options.has(option_bit::oobinline) &&
      readable > 0)
    --readable;
  if (readable >= std::min(low, std::max(c.settings.receive_buffer / 2, 1u))) bits |= kTcpReadable;
  if (shut_ & kSendShut) {
    bits |= kTcpWritable;
  } else if (writable_locked()) {
    bits |= kTcpWritable;
  } else {
    no_space_ = true;
  }
  if (c.urgent == tcp::Urgent::here) bits |= pri;
  return bits;
}

Result<void> TcpEndpoint::name(Address& out, bool peer) {
  if (peer) {
    LockGuard guard(lock_);
    const tcp::State state = shown_state();
    if (state == tcp::State::closed || state == tcp::State::syn_sent || state == tcp::State::listen)
      return Errno::notconn;
    put_address(peer_, domain(), out);
    return {};
  }
  return InetEndpoint::name(out, false);
}

Result<uint64_t> TcpEndpoint::ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) {
  int32_t n = 0;
  {
    LockGuard guard(lock_);
    const tcp::Tcb& c = connection_.view();
    const tcp::State state = shown_state();
    const bool early =
        state == tcp::State::syn_sent || state == tcp::State::syn_received || state == tcp::State::closed;
    switch (request) {
      case kFionread:
        if (state == tcp::State::listen) return Errno::inval;
        n = static_cast<int32_t>(c.readable());
        // Up to the mark.
        if (c.urgent != tcp::Urgent::none && !options.has(option_bit::oobinline) &&
            tcp::at_or_before(c.copied_seq, c.urgent_seq) && tcp::before(c.urgent_seq, c.rcv_nxt))
          n = tcp::distance(c.copied_seq, c.urgent_seq);
        break;
      case kSiocatmark:
        n = c.urgent != tcp::Urgent::none && c.urgent_seq == c.copied_seq;
        break;
      case kSiocoutq:
      case kSiocoutqNsd:
        if (state == tcp::State::listen) return Errno::inval;
        if (!early) n = static_cast<int32_t>(request == kSiocoutq ? c.unacknowledged() : c.unsent());
        break;
      default:
        n = -1;
    }
  }
  if (n < 0) return InetEndpoint::ioctl(request, argument, context);
  TRY(mm::copy_out(context.space, mm::UserPtr<int32_t>(argument), n));
  return uint64_t{0};
}

Result<void> TcpEndpoint::shutdown(uint32_t how) {
  DrainAtEnd drain(stack());
  LockGuard writer(send_lock_);
  LockGuard reader(receive_lock_);
  bool stop = false;
  {
    Section section(*this);
    const tcp::State state = shown_state();
    switch (state) {
      case tcp::State::listen:
        stop = how & kReceiveShut;
        break;
      case tcp::State::syn_sent:
        reset_locked();
        break;
      default:
        shut_ |= how;
        if (how & kReceiveShut) connection_.shutdown_receive();
        if ((how & kSendShut) && state != tcp::State::closed) connection_.shutdown_send(now_us());
        events_ |= tcp::event::changed;
        if (state == tcp::State::closed) return Errno::notconn;
    }
  }
  if (stop) stop_listening();
  return {};
}

// close(2), or a connection that never had a file.
void TcpEndpoint::release() {
  DrainAtEnd drain(stack());
  {
    LockGuard writer(send_lock_);
    stop_listening();
  }
  leave_groups();
  Ref<TcpEndpoint> parent;
  Section section(*this);
  parent = std::move(listener_);
  const tcp::Tcb& c = connection_.view();
  const bool linger_none =
      options.has(option_bit::linger) && options.linger_seconds.load(std::memory_order_relaxed) == 0;
  const bool unread = c.readable() > 0;
  if (c.state == tcp::State::closed) {
    connection_.close(true, now_us());
    table()->remove(*this);
    return;
  }
  self_ = Ref<TcpEndpoint>(*this);
  connection_.pieces().clear();
  if (linger2_ < 0 && c.state == tcp::State::fin_wait2)
    connection_.close(true, now_us());
  else
    connection_.close(unread || linger_none, now_us());
}

bool TcpEndpoint::came_near_enough(const PacketInfo& info) const {
  const auto& least = info.source.is_v4() ? ip.min_ttl : ip.min_hops;
  return info.ttl >= least.load(std::memory_order_relaxed);
}

// RFC 6191: timestamps tell what is old from what is new. A port that connect(2) chooses is used again when
// tcp_tw_reuse lets it (2: on loopback), a second later; one that was asked for is at once.
bool TcpEndpoint::entry_gives_way(const PortKey& key, bool chosen) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  constexpr uint32_t kLoopbackOnly = 2;
  const uint64_t since = waiting_since_us_.load(kRelaxed);
  if (since == 0 || !waiting_stamped_.load(kRelaxed)) return false;
  if (!chosen) return true;
  const uint32_t reuse = sysctls().tw_reuse.load(kRelaxed);
  if (reuse == kLoopbackOnly && !key.local.is_loopback() && !key.remote.is_loopback()) return false;
  return reuse != 0 && now_us() - since >= tcp::kSecond;
}

void TcpEndpoint::entry_follows(PortEntry& old) {
  follows_ = true;
  follows_from_ = static_cast<TcpEndpoint&>(old).waiting_next_.load(std::memory_order_relaxed);
}

// Its lane is held: what is sent goes with the drain that is under way.
bool TcpEndpoint::icmp_error(const IcmpError& error) {
  std::byte ports_and_seq[8];
  if (error.quoted.size() < sizeof ports_and_seq) return false;
  error.quoted.read(0, ports_and_seq);
  uint32_t seq;
  __builtin_memcpy(&seq, ports_and_seq + 4, sizeof seq);
  seq = __builtin_bswap32(seq);
  Section section(*this);
  const tcp::Tcb& c = connection_.view();
  // Only what quotes bytes that are on their way was sent by who saw them.
  if (c.state == tcp::State::closed || tcp::before(seq, c.snd_una) || tcp::before(c.snd_nxt, seq))
    return false;
  if (error.too_big)
    connection_.path_mtu(mss_of(error.info, peer_.address), now_us());
  else
    connection_.unreachable(error.error, error.hard || c.state == tcp::State::syn_sent);
  return true;
}

}  // namespace runsc::net
