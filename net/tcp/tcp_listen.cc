// Listeners: listen(2), accept(2), connections that come in, and SYN cookies when there are too many.
#include <algorithm>

#include "net/tcp/isn.h"
#include "net/tcp/tcp_input.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {
constexpr uint64_t kCookieMemory = 120 * tcp::kSecond;  // how long after the last cookie one may come back
}

Result<void> TcpEndpoint::listen(const Caller& caller, int backlog) {
  (void)caller;
  const uint32_t most = sysctls().somaxconn.load(std::memory_order_relaxed);
  const uint32_t wanted = std::min(static_cast<uint32_t>(backlog), most);
  LockGuard writer(send_lock_);  // nobody is ending it
  LockGuard guard(lock_);
  if (stage_ != Stage::listening) {
    if (stage_ != Stage::idle || connection_.view().state != tcp::State::closed) return Errno::inval;
    if (!named_locked()) TRY(claim_name_locked(0));
    TRY(table()->listen(*this));
    stage_ = Stage::listening;
    shut_ = 0;
  }
  LockGuard accept(accept_lock_);
  backlog_ = wanted;
  accepting_ = true;
  return {};
}

Result<Ref<Endpoint>> TcpEndpoint::accept(WaitPoint& wait) {
  Ref<TcpEndpoint> child, listener;
  {
    LockGuard guard(lock_);
    if (stage_ != Stage::listening) return Errno::inval;
    LockGuard accept(accept_lock_);
    if (!ready_.empty()) {
      child = Ref<TcpEndpoint>::adopt(&ready_.front());
      ready_.pop_front();
      --ready_count_;
      child->in_ready_ = false;
    }
  }
  if (!child) {
    if (int32_t e = take_error()) return static_cast<Errno>(e);
    return wait.at(*this, queue(), kTcpReadable | err | hup);
  }
  {
    LockGuard guard(child->lock_);
    listener = std::move(child->listener_);
  }
  return Ref<Endpoint>(std::move(child));
}

// A connection that nobody will accept any more: the peer is told, if it knows of it.
void TcpEndpoint::let_go(TcpEndpoint& child) {
  Ref<TcpEndpoint> listener, listed;
  Section section(child);
  bool tell = false;
  {
    LockGuard accept(accept_lock_);
    if (child.in_half_) {
      half_.erase(half_.iterator_to(child));
      --half_count_;
    } else if (child.in_ready_) {
      ready_.erase(ready_.iterator_to(child));
      --ready_count_;
      tell = true;
    } else {
      return;  // it has ended meanwhile
    }
    child.in_half_ = child.in_ready_ = false;
  }
  listed = Ref<TcpEndpoint>::adopt(&child);  // the list's count
  listener = std::move(child.listener_);
  child.self_ = Ref<TcpEndpoint>(child);
  child.connection_.pieces().clear();
  if (!tell) child.connection_.change().orphan_retries = 0;
  child.connection_.close(true, now_us());
  if (child.connection_.view().state == tcp::State::closed) {
    child.table()->remove(child);
    child.self_ = nullptr;
  }
}

void TcpEndpoint::stop_listening() {
  {
    LockGuard guard(lock_);
    if (stage_ != Stage::listening) return;
    stage_ = Stage::idle;
    if (asked_port_)
      table()->unlisten(*this);
    else
      table()->remove(*this);
    if (!asked_port_) local_.port = 0;
  }
  {
    LockGuard accept(accept_lock_);
    accepting_ = false;
  }
  // No new ones come. Each stays in its list until its own lock is held, so that a segment for it finds one
  // truth.
  for (;;) {
    Ref<TcpEndpoint> child;
    {
      LockGuard accept(accept_lock_);
      if (!half_.empty())
        child = Ref<TcpEndpoint>(half_.front());
      else if (!ready_.empty())
        child = Ref<TcpEndpoint>(ready_.front());
    }
    if (!child) break;
    let_go(*child);
  }
  queue().wake_all();
}

// tcp::Driver, for a child: a place in the queue of the listener, as Linux counts them (one more than the
// backlog).
bool TcpEndpoint::may_establish() NO_THREAD_SAFETY_ANALYSIS {
  if (!listener_) return true;  // both opened at once, or it is not a child
  LockGuard accept(listener_->accept_lock_);
  if (!listener_->accepting_ || listener_->ready_count_ > listener_->backlog_) return false;
  if (in_half_) {
    in_half_ = false;
    listener_->half_.erase(listener_->half_.iterator_to(*this));
    --listener_->half_count_;
  } else {
    ref();
  }
  in_ready_ = true;
  listener_->ready_.push_back(*this);
  ++listener_->ready_count_;
  established_now_ = true;
  stage_ = Stage::connected;
  return true;
}

// A few connections wait in any case.
bool TcpEndpoint::has_room_for_connection() {
  constexpr uint32_t kFew = 16;
  bool few;
  {
    LockGuard accept(accept_lock_);
    few = half_count_ + ready_count_ < kFew;
  }
  return has_room_for_received(owner(), sizeof(TcpEndpoint), few);
}

// An endpoint for a connection to this listener, listed. Null: no memory, or the four addresses are in use.
Ref<TcpEndpoint> TcpEndpoint::make_child(const PortKey& key, const Route& route) {
  Ref<TcpEndpoint> child = make_ref<TcpEndpoint>(*this);
  if (!child) return {};
  LockGuard guard(child->lock_);
  child->local_ = {key.local, key.port, 0, 0};
  child->peer_ = {key.remote, key.remote_port, 0, 0};
  if (key.remote.needs_scope()) child->local_.scope = child->peer_.scope = key.interface;
  child->asked_local_ = key.local;
  child->has_peer_ = true;
  child->route_ = route;
  child->listener_ = Ref<TcpEndpoint>(*this);
  child->stage_ = Stage::connecting;
  if (!table()->add_connected(*child, child->claim_locked(), key)) {
    child->listener_ = nullptr;  // the caller keeps the listener
    return {};
  }
  return child;
}

void TcpEndpoint::input_listening(const PortKey& key, const tcp::Segment& s, uint32_t header,
                                  PacketPtr packet, const tcp::Seq* first) {
  using namespace tcp::flag;
  if (s.has(rst)) return;
  if (s.has(ack)) return input_cookie(key, s, header, std::move(packet));
  if (!s.has(syn) || s.has(fin)) return;
  bool full;
  {
    LockGuard accept(accept_lock_);
    // Linux drops the SYN of somebody whom nobody could accept.
    if (!accepting_ || ready_count_ > backlog_) return;
    full = half_count_ >= std::max(backlog_, 1u);
  }
  if (full && !sysctls().syncookies.load(std::memory_order_relaxed)) return;
  RouteQuery query;
  query.destination = key.remote;
  query.source = key.local;
  if (key.remote.needs_scope()) query.interface = key.interface;
  Result<Route> route = stack().route(query);
  if (!route) return;
  if (full) return send_cookie(key, s, *route);
  Ref<TcpEndpoint> child = make_child(key, *route);
  if (!child) return;
  Ref<TcpEndpoint> unwanted;
  bool listed;
  {
    LockGuard accept(accept_lock_);
    listed = accepting_;
    if (listed) {
      child->in_half_ = true;
      half_.push_back(*Ref<TcpEndpoint>(child).leak());
      ++half_count_;
    }
  }
  if (!listed) {
    LockGuard guard(child->lock_);
    unwanted = std::move(child->listener_);
    return;
  }
  const uint64_t now = now_us();
  Section section(*child);
  child->send_queue_.start((first ? *first : tcp::initial_sequence(key, now)) + 1);
  child->connection_.accept(child->settings_locked(route->mtu), s, child->send_queue_.end() - 1,
                            tcp::timestamp_offset(key), now);
}

// ---- cookies ----

// What it offers is what the child will have when it comes back.
void TcpEndpoint::send_cookie(const PortKey& key, const tcp::Segment& syn, const Route& route) {
  tcp::Settings offer;
  {
    LockGuard guard(lock_);
    offer = settings_locked(route.mtu);
  }
  offer.route_mss = mss_of(route.mtu, key.remote);
  const uint64_t now = now_us();
  cookie_sent_us_.store(now, std::memory_order_relaxed);
  const uint16_t peer_mss = syn.options.has_mss ? syn.options.mss : 536;
  const tcp::Cookie cookie = tcp::make_cookie(key, syn.seq, peer_mss, now);
  tcp::Segment answer;
  answer.seq = cookie.sequence;
  answer.ack = syn.seq + 1;
  answer.flags = tcp::flag::syn | tcp::flag::ack;
  answer.window = tcp::first_window(offer);
  answer.options.has_mss = true;
  answer.options.mss = static_cast<uint16_t>(tcp::announced_mss(offer));
  if (syn.options.has_timestamp && offer.timestamps) {
    const bool shift = syn.options.has_shift && offer.window_scaling;
    const bool sack = syn.options.sack_permitted && offer.sack;
    answer.options.has_timestamp = true;
    answer.options.ts_echo = syn.options.ts_value;
    answer.options.ts_value = tcp::cookie_timestamp(
        static_cast<uint32_t>(now / tcp::kMs) + tcp::timestamp_offset(key), shift, syn.options.shift, sack);
    answer.options.sack_permitted = sack;
    answer.options.has_shift = shift;
    answer.options.shift = tcp::window_shift(offer);
  }
  tcp_send_alone(stack(), key, answer);
}

// An acknowledgement for which there is no connection: it may be of a cookie.
void TcpEndpoint::input_cookie(const PortKey& key, const tcp::Segment& s, uint32_t header, PacketPtr packet) {
  const uint64_t now = now_us(), since = cookie_sent_us_.load(std::memory_order_relaxed);
  const bool recent = since != 0 && now - since < kCookieMemory;
  const uint16_t mss =
      recent && !s.has(tcp::flag::syn) ? tcp::check_cookie(key, s.seq - 1, s.ack - 1, now) : 0;
  if (mss == 0) return tcp_send_reset(stack(), key, s);
  tcp::Segment syn;
  syn.seq = s.seq - 1;
  syn.flags = tcp::flag::syn;
  syn.window = s.window;
  syn.options.has_mss = true;
  syn.options.mss = mss;
  if (s.options.has_timestamp) {
    syn.options.has_timestamp = true;
    syn.options.ts_value = s.options.ts_value;
    tcp::read_cookie_timestamp(s.options.ts_echo, syn.options);
  }
  RouteQuery query;
  query.destination = key.remote;
  query.source = key.local;
  if (key.remote.needs_scope()) query.interface = key.interface;
  Result<Route> route = stack().route(query);
  if (!route) return;
  {
    LockGuard accept(accept_lock_);
    if (!accepting_ || ready_count_ > backlog_) return;
  }
  Ref<TcpEndpoint> child = make_child(key, *route);
  if (!child) return;
  {
    Section section(*child);
    child->send_queue_.start(s.ack);
    child->connection_.accept_cookie(child->settings_locked(route->mtu), syn, s.ack - 1,
                                     tcp::timestamp_offset(key), now);
  }
  child->handle(key, s, header, std::move(packet));
  Ref<TcpEndpoint> listener;
  Section section(*child);
  if (child->connection_.view().state != tcp::State::syn_received) return;
  // No place after all: as if it had never come.
  listener = std::move(child->listener_);
  child->connection_.close(true, now);
}

}  // namespace runsc::net
