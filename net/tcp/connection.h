// Connection: the protocol engine of one TCP connection (RFC 9293), from the first SYN on. It knows no
// sockets, packets or clocks: segments, times and what the application does go in, and what has to happen
// comes out through Driver. Its owner holds one lock around every call; nothing here sleeps.
#pragma once

#include "kernel/base/errno.h"
#include "net/tcp/congestion.h"
#include "net/tcp/reassembly.h"
#include "net/tcp/rtt.h"
#include "net/tcp/scoreboard.h"

namespace runsc::net::tcp {

// With Linux's numbers (TCP_INFO, /proc/net/tcp).
enum class State : uint8_t {
  established = 1,
  syn_sent = 2,
  syn_received = 3,
  fin_wait1 = 4,
  fin_wait2 = 5,
  time_wait = 6,
  closed = 7,
  close_wait = 8,
  last_ack = 9,
  listen = 10,
  closing = 11
};

inline constexpr uint64_t kNever = ~uint64_t{0};

// What happened, for those who wait.
namespace event {
inline constexpr uint32_t readable = 1, writable = 2, changed = 4, urgent = 8, announced = 16;
}

class Driver {
 public:
  // Sends a segment, whose data are the bytes from segment.seq on (past a SYN). What cannot be sent is lost.
  virtual void emit(const Segment& segment) = 0;
  // The send buffer lets go of what stands before `acked`.
  virtual void release(Seq acked) = 0;
  virtual void happened(uint32_t events) = 0;
  // The last step of a passive open: false if the listener cannot take it now (RFC 9293 says nothing; Linux
  // drops the acknowledgement and waits).
  virtual bool may_establish() = 0;
  // It is closed or in TIME_WAIT from now on, with `error` (0: none).
  virtual void ended() = 0;

 protected:
  ~Driver() = default;
};

// What can be set, by sysctl or setsockopt. Times in microseconds.
struct Settings {
  uint32_t route_mss = 536;  // the route's MTU without the fixed headers
  uint32_t user_mss = 0;     // TCP_MAXSEG
  uint8_t syn_retries = 6, synack_retries = 5, retries2 = 15, orphan_retries = 8;
  bool timestamps = true, sack = true, window_scaling = true;
  bool nodelay = false, cork = false, keepalive = false, oob_inline = false;
  bool buffers_grow = true;
  bool rfc1337 = false;
  uint64_t keep_idle = 7200 * kSecond, keep_interval = 75 * kSecond;
  uint32_t keep_probes = 9;
  uint64_t user_timeout = 0;  // TCP_USER_TIMEOUT; 0: by retries2
  uint64_t fin_timeout = 60 * kSecond;
  uint64_t time_wait = 60 * kSecond;
  uint32_t receive_buffer = 131072, receive_buffer_max = 6291456;
  uint32_t window_clamp = 0;  // TCP_WINDOW_CLAMP
  uint32_t defer_accept = 0;  // TCP_DEFER_ACCEPT: resent SYN-ACKs that wait for data
  Algorithm algorithm = Algorithm::cubic;
};

// What a side with these settings says of itself in its first segment (RFC 7323, 2.2; RFC 9293, 3.7.1).
uint8_t window_shift(const Settings& s);
uint32_t announced_mss(const Settings& s);
uint16_t first_window(const Settings& s);

// How a recovery stands (the names of Linux).
enum class Phase : uint8_t { open = 0, disorder = 1, cwr = 2, recovery = 3, loss = 4 };
enum class Urgent : uint8_t { none, announced, here, taken };
enum class Wait : uint8_t { nothing, resend, loss_probe, reorder, window_probe };  // of the one sending timer

// The state of a connection, for who looks at it under the owner's lock.
struct Tcb {
  State state = State::closed;
  Errno error{};        // why it ended
  bool orphan = false;  // nobody has it open
  bool receive_shut = false, fin_wanted = false, fin_sent = false, fin_received = false, fin_acked = false;
  bool reset_received = false;

  // Sending.
  Seq iss = 0, snd_una = 0, snd_nxt = 0, snd_wl1 = 0, write_seq = 0, snd_up = 0, pushed_seq = 0, min_sent = 0;
  uint32_t snd_wnd = 0, max_window = 0;
  uint8_t snd_shift = 0, rcv_shift = 0;
  bool urgent_mode = false, more = false;
  uint32_t mss = 536;       // data of a full segment, options that every segment has taken off
  uint32_t peer_mss = 536;  // what the other side announced
  uint32_t announced_mss = 0;

  // Receiving.
  Seq irs = 0, rcv_nxt = 0, rcv_wup = 0, copied_seq = 0, urgent_seq = 0;
  uint32_t rcv_wnd = 0;  // as announced when rcv_wup was
  uint32_t rcv_mss = 536;
  Seq skip_seq = 0;  // skip: an urgent byte that was passed by and is not of the stream
  bool skip = false;
  Urgent urgent = Urgent::none;
  std::byte urgent_byte{};

  // Options in use.
  bool timestamps = false, sack = false, scaling = false;
  uint32_t ts_recent = 0, ts_offset = 0;
  uint64_t ts_recent_us = 0;

  RttEstimator rtt;
  Congestion congestion;
  Phase phase = Phase::open;
  Scoreboard sent;
  Reassembly received;
  uint32_t backoff = 0, retries = 0, total_resent = 0, probes = 0, keep_probes_out = 0;
  uint64_t bytes_acked = 0, bytes_received = 0, bytes_sent = 0, bytes_resent = 0;
  uint64_t last_received_us = 0, last_data_us = 0, last_sent_us = 0, last_ack_us = 0;
  uint32_t segments_in = 0, segments_out = 0, data_in = 0, data_out = 0;
  Settings settings;

  bool synchronized() const {
    return state != State::closed && state != State::syn_sent && state != State::listen;
  }
  // Data may come or go.
  bool can_send() const { return state == State::established || state == State::close_wait; }
  // Written and not acknowledged; not yet sent.
  // The FIN counts, as in Linux, from when it is wanted.
  uint32_t unacknowledged() const {
    return write_seq + fin_wanted - snd_una - (state == State::syn_sent || state == State::syn_received);
  }
  uint32_t unsent() const { return before(snd_nxt, write_seq) ? write_seq - snd_nxt : 0; }
  uint64_t in_flight() const { return sent.in_flight(); }
  // In order and not read.
  uint32_t readable() const { return rcv_nxt - copied_seq - fin_received; }
};

class Connection : private Tcb {
 public:
  explicit Connection(Driver& driver) : driver_(driver) {}
  const Tcb& view() const { return *this; }
  Reassembly& pieces() { return received; }

  // ---- beginnings
  void connect(const Settings& s, Seq first, uint32_t ts_offset, uint64_t now);
  // A SYN for a listener: answers it.
  void accept(const Settings& s, const Segment& syn, Seq first, uint32_t ts_offset, uint64_t now);
  // The acknowledgement of a SYN-ACK that was not remembered (a SYN cookie): `syn` is what the cookie kept.
  void accept_cookie(const Settings& s, const Segment& syn, Seq first, uint32_t ts_offset, uint64_t now);

  // ---- what comes
  // A segment for this connection, and its data. False: it is not for a connection in this state, answer with
  // a reset (RFC 9293, 3.10.7.1).
  bool input(const Segment& segment, Unique<Piece> data, uint64_t now);
  // An ICMP error: hard ones end a connection that is being made.
  void unreachable(Errno e, bool hard);
  void path_mtu(uint32_t route_mss, uint64_t now);
  // The earliest of its deadlines has passed, or not yet.
  void timer(uint64_t now);
  uint64_t deadline() const;
  // What it waits for now, for who looks on: the sending timer, else (`nothing`) keepalive or TIME_WAIT.
  struct Pending {
    Wait wait;
    uint64_t at;
  };
  // Segments that are acknowledged at once, times two, and whether data go both ways (proc_net_tcp(5)).
  uint32_t ack_mode() const { return quick_ << 1 | pingpong_; }
  Pending pending_timer() const {
    return wait_ != Wait::nothing ? Pending{wait_, send_at_} : Pending{Wait::nothing, keep_at_};
  }

  // ---- what the application does
  // `n` bytes more stand in the send buffer. more: MSG_MORE.
  void wrote(uint32_t n, bool push_flag, bool with_more, bool urgent_end, uint64_t now);
  // `n` bytes less in the receive buffer.
  void did_read(uint32_t n, uint64_t now);
  // How far the stream has been looked at, past an urgent byte.
  void take_urgent();
  void shutdown_send(uint64_t now);
  void shutdown_receive() { receive_shut = true; }
  // close(2). unread: data were thrown away, so the peer is told by a reset.
  void close(bool abort_it, uint64_t now);
  // Ends it at once, with a reset if the peer knows of us.
  void abort(Errno e, uint64_t now);

  // ---- options
  Settings& change() { return settings; }
  void settings_changed(uint64_t now);
  void quick_ack(bool on, uint64_t now);
  bool quick_ack() const { return !pingpong_; }
  void set_receive_buffer(uint32_t bytes) { settings.receive_buffer = bytes, settings.buffers_grow = false; }
  void set_error(Errno e) { error = e; }

 private:
  // connection.cc
  void begin(const Settings& s, Seq first, uint32_t ts_off);
  void take_syn_options(const Options& o);
  void set_mss();
  void established(uint64_t now);
  void become(State next);
  void finish(Errno e);
  void enter_time_wait(uint64_t now);
  // connection_input.cc
  bool input_syn_sent(const Segment& s, Unique<Piece>& data, uint64_t now);
  bool input_time_wait(const Segment& s, uint64_t now);
  bool input_syn_received(const Segment& s, uint64_t now, bool& reset);
  bool acceptable(const Segment& s) const;
  bool check_segment(const Segment& s, uint64_t now, bool& reset);
  bool paws_rejects(const Segment& s, uint64_t now) const;
  void note_timestamp(const Segment& s, uint64_t now);
  bool check_ack(const Segment& s, uint64_t now, bool& reset);
  void reset_by_peer();
  void note_urgent(const Segment& s);
  void urgent_data(const Piece* piece);
  void input_data(const Segment& s, Unique<Piece> data, uint64_t now);
  void input_early(Unique<Piece> data);
  bool has_room(uint32_t charge);
  void input_fin(uint64_t now);
  void fin_was_acked(uint64_t now);
  void measure_receive(uint32_t n, uint64_t now);
  // connection_ack.cc
  void input_ack(const Segment& s, uint64_t now);
  bool update_window(const Segment& s);
  void input_sack(const Segment& s, Seq before_ack, uint64_t now, AckOutcome& out);
  void detect(AckOutcome& out, bool duplicate, bool progress, uint64_t now);
  void move_phase(const Segment& s, const AckOutcome& out, bool progress, uint64_t now);
  void leave_phase();
  void settle_probe(const Segment& s, bool progress, uint64_t now);
  uint64_t reorder_window() const;
  void start_recovery(uint64_t now);
  bool was_spurious(const Segment& s) const;
  void note_rtt(const Segment& s, const AckOutcome& out, bool progress, uint64_t now);
  // connection_output.cc
  void push(uint64_t now, bool force = false);
  bool may_send_small(uint32_t size) const;
  bool send_new(uint32_t size, uint64_t now);
  bool pending() const { return unsent() > 0 || (fin_wanted && !fin_sent); }
  void resend_lost(uint64_t now);
  bool resend(Sent& s, uint64_t now);
  void fill(Segment& s, uint64_t now);
  void emit(Segment& s, uint64_t now);
  void send_syn(uint64_t now, Sent* again);
  void send_ack(uint64_t now);
  void send_probe(uint64_t now);
  void challenge(uint64_t now);
  void duplicate_ack(uint64_t now);
  void ack_if_due(uint64_t now);
  void send_reset(Seq seq, uint64_t now);
  uint32_t select_window();
  uint32_t receive_room() const;
  uint32_t timestamp_now(uint64_t now) const { return static_cast<uint32_t>(now / kMs) + ts_offset; }
  // connection_timer.cc
  void arm_resend(uint64_t now);
  void arm_after_send(uint64_t now);
  uint64_t resend_timeout() const;
  void stop_sending_timer() { wait_ = Wait::nothing, send_at_ = kNever; }
  void resend_timer(uint64_t now);
  void loss_probe_timer(uint64_t now);
  void window_probe_timer(uint64_t now);
  void keep_timer(uint64_t now);
  void arm_keep(uint64_t now);
  bool timed_out(uint64_t now);
  void delay_ack(uint64_t now);

  Driver& driver_;
  Wait wait_ = Wait::nothing;
  uint64_t send_at_ = kNever, ack_at_ = kNever, keep_at_ = kNever;
  uint64_t stuck_since_us_ = 0;    // the first timeout of those in a row
  uint64_t probing_since_us_ = 0;  // the first probe of a closed window; 0: there was none
  // Recovery.
  Seq high_seq_ = 0, probe_high_ = 0;
  bool probe_out_ = false, probe_resent_ = false, undo_possible_ = false;
  uint64_t resent_first_us_ = 0;
  uint32_t duplicate_acks_ = 0, reorder_steps_ = 1;
  bool dsack_seen_ = false;
  // Acknowledging.
  bool ack_now_ = false, ack_wanted_ = false, pingpong_ = false, window_limited_ = false;
  bool early_fin_ = false;
  Seq early_fin_seq_ = 0;
  uint32_t quick_ = 0;
  SackBlock duplicate_{0, 0};  // to be told (RFC 2883)
  Seq latest_early_ = 0;
  uint64_t challenge_second_ = 0, duplicate_second_ = 0;
  uint32_t challenges_ = 0, duplicates_ = 0;
  // Receive buffer growth.
  Seq measure_seq_ = 0;
  uint64_t measure_us_ = 0, receive_rtt_us_ = 0;
  Seq rtt_seq_ = 0;
  uint64_t rtt_seq_us_ = 0;
  uint32_t measured_space_ = 0;
};

}  // namespace runsc::net::tcp
