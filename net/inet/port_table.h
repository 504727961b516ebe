// PortTable: the sockets of one protocol of a namespace by their addresses: who may have a port (bind(2),
// ip(7) SO_REUSEADDR, socket(7) SO_REUSEPORT), which port is free (RFC 6056), and who gets a packet.
#pragma once

#include <boost/intrusive/list.hpp>

#include "kernel/base/lock.h"
#include "net/inet/address.h"
#include "net/options.h"

namespace runsc::net {

struct InetSettings;
class InetEndpoint;

// One socket (or what is left of one: a connection in TIME_WAIT) in a table. Its fields are the table's.
class PortEntry {
 public:
  enum class State : uint8_t { unlisted, bound, listening, connected };
  PortEntry() = default;
  PortEntry(const PortEntry&) = delete;

  // Counting who is found. try: false when it is on its way out.
  virtual bool entry_try_ref() = 0;
  virtual void entry_unref() = 0;
  // The endpoint, or null for what is left of one (its own class knows).
  virtual InetEndpoint* entry_endpoint() { return nullptr; }
  // Under the table's lock: a new connection wants exactly these addresses (connect(2)). True: the entry is
  // taken out for it, the new one comes in.
  virtual bool entry_gives_way() { return false; }

 protected:
  ~PortEntry();  // not while listed

 private:
  friend class PortTable;
  boost::intrusive::list_member_hook<> port_hook_, tuple_hook_;
  State state_ = State::unlisted;
  bool v6_ = false, v6only_ = false;
  bool explicit_port_ =
      false;  // it asked for its port; others may share a port that was chosen for connecting
  uint16_t port_ = 0, remote_port_ = 0;
  uint32_t device_ = 0, uid_ = 0;
  IpAddress local_, remote_;  // remote: any = not connected
  const Options* options_ = nullptr;
};

// An entry that was found, kept alive.
class PortRef {
 public:
  PortRef() = default;
  explicit PortRef(PortEntry* counted) : entry_(counted) {}
  PortRef(PortRef&& o) noexcept : entry_(std::exchange(o.entry_, nullptr)) {}
  PortRef& operator=(PortRef&& o) noexcept {
    std::swap(entry_, o.entry_);
    return *this;
  }
  ~PortRef() {
    if (entry_) entry_->entry_unref();
  }
  explicit operator bool() const { return entry_ != nullptr; }
  PortEntry* operator->() const { return entry_; }
  PortEntry& operator*() const { return *entry_; }
  // Null if there is none or it is no endpoint. Valid as long as this is.
  InetEndpoint* endpoint() const { return entry_ ? entry_->entry_endpoint() : nullptr; }

 private:
  PortEntry* entry_ = nullptr;
};

// Who asks for a name.
struct PortClaim {
  bool v6 = false, v6only = false;
  uint32_t device = 0, uid = 0;
  const Options* options = nullptr;  // of the socket: SO_REUSEADDR and SO_REUSEPORT, read whenever needed
};

// A packet's addresses as its receiver sees them.
struct PortKey {
  IpAddress local, remote;
  uint16_t port = 0, remote_port = 0;
  uint32_t interface = 0;  // that it came in by
};

class PortTable {
 public:
  enum class Kind : uint8_t { datagram, stream };
  PortTable(Kind kind, const InetSettings& settings) : kind_(kind), settings_(settings) {}
  ~PortTable();

  // Lists an unlisted entry; port 0: a free one of the range. The port. EADDRINUSE; ENOMEM.
  Result<uint16_t> bind(PortEntry& entry, const PortClaim& claim, const IpAddress& local, uint16_t port);
  // Streams: a bound entry becomes a listener. EADDRINUSE: another one has the name.
  Result<void> listen(PortEntry& entry);
  void unlisten(PortEntry& entry);  // bound again
  // An unlisted or bound entry gets all four addresses. Unlisted: a port is chosen by RFC 6056 algorithm 3
  // (streams may share it with other connections). The port. EADDRNOTAVAIL: no port, or the four are in use.
  // Datagrams: any number may have the same; connecting again is allowed.
  Result<uint16_t> connect(PortEntry& entry, const PortClaim& claim, const IpAddress& local,
                           const IpAddress& remote, uint16_t remote_port);
  // Bound again, at `local`; a port that was not asked for is given up (`port` 0: unlisted afterwards).
  void disconnect(PortEntry& entry, const IpAddress& local, bool keep_port);
  // A connection that came in (passive open), or what is left of one in place of `instead`. EADDRINUSE: the
  // four are in use. ENOMEM.
  Result<void> add_connected(PortEntry& entry, const PortClaim& claim, const PortKey& key,
                             PortEntry* instead = nullptr);
  // From any state; does nothing to an unlisted one. After return nobody new finds it.
  void remove(PortEntry& entry);
  void set_device(PortEntry& entry, uint32_t device);

  // Exactly these four.
  PortRef find_connected(const PortKey& key);
  // The best that waits for packets to key.port: listeners (streams), sockets (datagrams, connected ones
  // first).
  PortRef find_receiver(const PortKey& key);
  // Everybody who may have a multicast or broadcast datagram. ENOMEM.
  Result<void> find_all(const PortKey& key, Vec<PortRef>& out);
  // All entries, for /proc/net and sock_diag. ENOMEM.
  Result<void> list(Vec<PortRef>& out);
  uint32_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  const Kind kind_;
  const InetSettings& settings_;
  SpinLock lock_{LockRank::port_table};
  std::atomic<uint32_t> count_{0};
};

}  // namespace runsc::net
