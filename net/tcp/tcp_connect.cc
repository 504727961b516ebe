// connect(2): towards a peer, and away from it again (AF_UNSPEC).
#include <new>

#include "net/tcp/isn.h"
#include "net/tcp/tcp_endpoint.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {
constexpr uint32_t kConnected = out | wrnorm | err | hup;
}

Result<void> TcpEndpoint::connect(const Caller& caller, std::span<const std::byte> address, WaitPoint& wait) {
  (void)caller;
  DrainAtEnd drain(stack());
  if (TRY(address_family(address)) == family_number::unspec) return disconnect();
  LockGuard writer(send_lock_);
  LockGuard reader(receive_lock_);
  bool fresh = false;
  {
    LockGuard guard(lock_);
    switch (stage_) {
      case Stage::listening:
      case Stage::connected:
        return Errno::isconn;
      case Stage::connecting:
        break;
      case Stage::idle:
        fresh = true;
    }
  }
  if (fresh) TRY(begin_connect(address));
  // What loopback has answered already is known now.
  if (!wait.nonblocking) stack().drain();
  Section section(*this);
  if (stage_ == Stage::connected) return Errno::isconn;
  const tcp::State state = connection_.view().state;
  if (state == tcp::State::syn_sent || state == tcp::State::syn_received) {
    if (wait.nonblocking) return fresh ? Errno::inprogress : Errno::already;
    return wait.at(*this, queue(), kConnected);
  }
  if (fresh && wait.nonblocking && state != tcp::State::closed) return Errno::inprogress;
  if (state == tcp::State::closed) {
    const int32_t e = take_error();
    reset_locked();
    return e ? static_cast<Errno>(e) : Errno::connaborted;
  }
  stage_ = Stage::connected;
  return {};
}

Result<void> TcpEndpoint::begin_connect(std::span<const std::byte> address) {
  if (address.size() < (v6() ? kLeastSizeV6 : kSizeV4)) return Errno::inval;
  if (TRY(address_family(address)) != domain()) return Errno::afnosupport;
  SocketAddress to = TRY(destination(address));
  // 0.0.0.0 and :: are this machine.
  if (to.address.is_any()) to.address = to.address.is_v4() ? kLoopbackV4 : kLoopbackV6;
  if (to.address.is_multicast() || to.address.is_broadcast()) return Errno::netunreach;
  Section section(*this);
  if (stage_ != Stage::idle) return Errno::already;
  const Route route = TRY(stack().route(query_locked(to.address, to.scope)));
  if (route.type == RouteType::broadcast || route.type == RouteType::multicast) return Errno::netunreach;
  reset_locked();
  follows_ = false;
  const uint16_t port = TRY(table()->connect(*this, claim_locked(), route.source, to.address, to.port));
  local_.address = route.source;
  local_.port = port;
  peer_ = to;
  has_peer_ = true;
  route_ = route;
  stage_ = Stage::connecting;
  shut_ = 0;
  const uint64_t now = now_us();
  const PortKey key{local_.address, peer_.address, local_.port, peer_.port, 0};
  const tcp::Seq first = follows_ ? follows_from_ : tcp::initial_sequence(key, now);
  send_queue_.start(first + 1);
  connection_.connect(settings_locked(route.mtu), first, tcp::timestamp_offset(key), now);
  return {};
}

// Back to a socket that never had a peer.
void TcpEndpoint::reset_locked() {
  const bool was = stage_ == Stage::connecting || stage_ == Stage::connected;
  if (connection_.view().state != tcp::State::closed) connection_.abort(Errno{}, now_us());
  send_queue_.clear();
  std::destroy_at(&connection_);
  new (&connection_) tcp::Connection(*this);
  if (was || has_peer_) {
    table()->disconnect(*this, asked_local_, asked_port_);
    local_.address = asked_local_;
    if (!asked_port_) local_.port = 0;
  }
  stage_ = Stage::idle;
  has_peer_ = false;
  peer_ = {};
  shut_ = 0;
}

Result<void> TcpEndpoint::disconnect() {
  LockGuard writer(send_lock_);
  LockGuard reader(receive_lock_);
  stop_listening();
  tail_ = Slice();
  tail_used_ = 0;
  Section section(*this);
  const tcp::Tcb& c = connection_.view();
  if (c.state == tcp::State::syn_sent) set_error(Errno::connreset);
  reset_locked();
  (void)take_error();
  events_ |= tcp::event::changed;
  return {};
}

}  // namespace runsc::net
