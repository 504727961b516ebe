// TcpEndpoint: a SOCK_STREAM socket of AF_INET or AF_INET6 (tcp(7)), around the protocol engine of a
// Connection.
#pragma once

#include <boost/intrusive/list.hpp>

#include "net/inet/inet_endpoint.h"
#include "net/services.h"
#include "net/tcp/connection.h"
#include "net/tcp/send_queue.h"

namespace runsc::net {

struct TcpInfo;

// At boot, after inet_init().
void tcp_init();

// Locks: send_lock_ and receive_lock_ (one writer, one reader; held while bytes are copied; both by who
// begins or throws away a connection, the first by who begins or ends listening), then lock_ for the
// connection (Section), then accept_lock_ of a listener. Segments are sent under lock_, so that they keep
// their order; who has slept or may have sent drains the stack when no lock is held any more.
class TcpEndpoint final : public InetEndpoint, private tcp::Driver {
 public:
  static Result<Ref<TcpEndpoint>> create(const Caller& caller, NetworkNamespace& net, int domain);
  ~TcpEndpoint() override;

  Result<void> listen(const Caller& caller, int backlog) override;
  Result<Ref<Endpoint>> accept(WaitPoint& wait) override;
  Result<void> connect(const Caller& caller, std::span<const std::byte> address, WaitPoint& wait) override;
  Result<void> name(Address& out, bool peer) override;
  Result<size_t> send(SendMessage& message) override;
  Result<size_t> receive(ReceiveMessage& message) override;
  void finish_receive(ReceiveMessage& message) override;
  Result<void> shutdown(uint32_t how) override;
  uint32_t poll() override;
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) override;
  bool listening() override;
  Result<void> set_socket_option(const Caller& caller, int name, uint64_t address, uint32_t size) override;
  Result<void> set_option(const Caller& caller, int level, int name, uint64_t address,
                          uint32_t size) override;
  Result<uint32_t> get_option(const Caller& caller, int level, int name, uint64_t address,
                              uint32_t size) override;
  void release() override;
  bool icmp_error(const IcmpError& error) override;
  Facts facts() override;
  std::string_view tcp_facts(TcpInfo& info) override;
  // IP_MINTTL, IPV6_MINHOPCOUNT (RFC 5082).
  bool came_near_enough(const PacketInfo& info) const;
  bool entry_gives_way(const PortKey& key, bool chosen) override;
  void entry_follows(PortEntry& old) override;

  // A segment for this socket, with the packet that starts at its header. The packet's lane is held.
  // `first`: the number with which an answer to a SYN begins; null: one of its choice.
  void handle(const PortKey& key, const tcp::Segment& segment, uint32_t header, PacketPtr packet,
              const tcp::Seq* first = nullptr);
  // A row of /proc/net/tcp.
  void describe(TextSink& out, uint32_t row);

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  // What socket(2) and connect(2) have made of it.
  enum class Stage : uint8_t { idle, connecting, connected, listening };
  class Section;
  class Alarm final : public Timer {
   public:
    explicit Alarm(TcpEndpoint& owner) : owner_(owner) {}

   private:
    void fire() override;
    TcpEndpoint& owner_;
  };

  TcpEndpoint(const Caller& caller, NetworkNamespace& net, int domain);
  explicit TcpEndpoint(TcpEndpoint& listener);

  // tcp::Driver
  void emit(const tcp::Segment& segment) override;
  void release(tcp::Seq acked) override;
  void happened(uint32_t events) override { events_ |= events; }
  bool may_establish() override;
  void ended() override;

  // tcp_endpoint.cc
  tcp::Settings settings_locked(uint32_t mtu) const REQUIRES(lock_);
  uint32_t mss_of(uint32_t mtu, const IpAddress& peer) const;
  const TcpSettings& sysctls() const { return stack().settings.tcp; }
  void on_alarm();
  bool keep(Packet& packet);
  // What waits until lock_ is free.
  struct Later {
    uint32_t wake = 0;
    Ref<TcpEndpoint> listener, dropped, alarm;
  };
  void settle_locked(Later& later) REQUIRES(lock_);
  tcp::State shown_state() const REQUIRES(lock_);
  bool writable_locked() const REQUIRES(lock_);
  void set_send_buffer_locked() REQUIRES(lock_);
  // tcp_listen.cc
  void input_listening(const PortKey& key, const tcp::Segment& s, uint32_t header, PacketPtr packet,
                       const tcp::Seq* first);
  void input_cookie(const PortKey& key, const tcp::Segment& s, uint32_t header, PacketPtr packet);
  void send_cookie(const PortKey& key, const tcp::Segment& syn, const Route& route);
  bool has_room_for_connection();
  Ref<TcpEndpoint> make_child(const PortKey& key, const Route& route);
  void stop_listening() REQUIRES(send_lock_);
  void let_go(TcpEndpoint& child);
  // tcp_burst.cc
  bool starts_burst_locked(const tcp::Segment& segment) const REQUIRES(lock_);
  bool joins_burst_locked(const tcp::Segment& segment) const REQUIRES(lock_);
  void send_burst_locked() REQUIRES(lock_);
  bool send_segment_locked(const tcp::Segment& segment, uint32_t piece) REQUIRES(lock_);
  // tcp_connect.cc
  Result<void> begin_connect(std::span<const std::byte> address) REQUIRES(send_lock_, receive_lock_);
  Result<void> disconnect();
  // Bytes that somebody copies go with the connection: nobody may be reading or writing.
  void reset_locked() REQUIRES(lock_, send_lock_, receive_lock_);
  // tcp_send.cc
  Result<size_t> send_more(SendMessage& message) REQUIRES(send_lock_);
  Errno may_send_locked(SendMessage& message) REQUIRES(lock_);
  Result<uint32_t> fill_tail(SendMessage& message, size_t room) REQUIRES(send_lock_);
  // tcp_receive.cc
  struct Found;
  Result<size_t> receive_urgent(ReceiveMessage& message);
  bool find_data_locked(ReceiveMessage& message, Found& found) REQUIRES(receive_lock_, lock_);
  Result<size_t> no_data_locked(ReceiveMessage& message, size_t target) REQUIRES(lock_);
  // tcp_options.cc
  Result<void> set_tcp_option(int name, int32_t value);
  Result<bool> set_kept_option(int name, int32_t value) REQUIRES(lock_);
  Result<int32_t> tcp_number(int name);
  Result<void> set_congestion(const Caller& caller, uint64_t address, uint32_t size);
  void fill_info(TcpInfo& info) REQUIRES(lock_);

  Alarm alarm_{*this};
  Mutex send_lock_{LockRank::socket_send}, receive_lock_{LockRank::socket_receive};
  Slice tail_ GUARDED_BY(send_lock_);  // the block that is being filled
  uint32_t tail_used_ GUARDED_BY(send_lock_) = 0;

  tcp::Connection connection_ GUARDED_BY(lock_){*this};
  tcp::SendQueue send_queue_ GUARDED_BY(lock_);
  // Segments that go to a device as one (piece bytes each), which waits for more until the section ends.
  tcp::Segment burst_ GUARDED_BY(lock_);
  uint32_t burst_piece_ GUARDED_BY(lock_) = 0, burst_most_ GUARDED_BY(lock_) = 0;
  Stage stage_ GUARDED_BY(lock_) = Stage::idle;
  uint32_t shut_ GUARDED_BY(lock_) = 0;
  uint32_t events_ = 0;  // under lock_: to be told when it is let go of
  uint64_t armed_at_us_ GUARDED_BY(lock_) = tcp::kNever;
  bool no_space_ GUARDED_BY(lock_) = false;  // somebody waits for room to write
  bool send_buffer_fixed_ GUARDED_BY(lock_) = false, receive_buffer_fixed_ GUARDED_BY(lock_) = false;
  bool report_inq_ GUARDED_BY(lock_) = false;       // TCP_INQ
  bool established_now_ GUARDED_BY(lock_) = false;  // the listener is to be woken
  bool counted_waiting_ GUARDED_BY(lock_) = false;  // in TcpSettings::time_waiting
  int32_t linger2_ GUARDED_BY(lock_) = 0;
  uint32_t user_mss_ GUARDED_BY(lock_) = 0, not_sent_low_ GUARDED_BY(lock_) = ~0u;
  tcp::Settings chosen_ GUARDED_BY(lock_);       // by setsockopt(2)
  Ref<TcpEndpoint> self_ GUARDED_BY(lock_);      // while it lives on without a file
  Ref<TcpEndpoint> listener_ GUARDED_BY(lock_);  // of a connection that nobody has accepted
  Ref<TcpEndpoint> dropped_ GUARDED_BY(lock_);   // to be let go of after lock_
  // Of TIME_WAIT, for the port table: since when (0: it is not in it), whether the peer's timestamps are
  // known, and where the next connection of the same addresses begins, beyond all that this one sent.
  std::atomic<uint64_t> waiting_since_us_{0};
  std::atomic<bool> waiting_stamped_{false};
  std::atomic<tcp::Seq> waiting_next_{0};
  // In connect(2), under lock_: what it follows.
  bool follows_ = false;
  tcp::Seq follows_from_ = 0;

  // Of a listener: connections that wait, each with a count of its own.
  boost::intrusive::list_member_hook<> accept_hook_;
  bool in_half_ = false, in_ready_ = false;  // under the listener's accept_lock_
  using Waiting =
      boost::intrusive::list<TcpEndpoint,
                             boost::intrusive::member_hook<TcpEndpoint, boost::intrusive::list_member_hook<>,
                                                           &TcpEndpoint::accept_hook_>,
                             boost::intrusive::constant_time_size<false>>;
  mutable SpinLock accept_lock_{LockRank::socket_accept};
  Waiting half_ GUARDED_BY(accept_lock_), ready_ GUARDED_BY(accept_lock_);
  uint32_t half_count_ GUARDED_BY(accept_lock_) = 0, ready_count_ GUARDED_BY(accept_lock_) = 0;
  uint32_t backlog_ GUARDED_BY(accept_lock_) = 0;
  bool accepting_ GUARDED_BY(accept_lock_) = false;
  std::atomic<uint64_t> cookie_sent_us_{0};
};

// lock_ around a use of the connection. At its end: the timer is set, and those who wait are told.
class SCOPED_CAPABILITY TcpEndpoint::Section {
 public:
  explicit Section(TcpEndpoint& endpoint) ACQUIRE(endpoint.lock_);
  ~Section() RELEASE();
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

 private:
  TcpEndpoint& endpoint_;
};

inline uint64_t now_us() { return monotonic_ns() / 1000; }

// What receive and send functions of several files name.
inline constexpr uint32_t kTcpReadable = fs::poll_bit::in | fs::poll_bit::rdnorm;
inline constexpr uint32_t kTcpWritable = fs::poll_bit::out | fs::poll_bit::wrnorm;

}  // namespace runsc::net
