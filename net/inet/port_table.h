// PortTable: the sockets of one protocol of a namespace by their addresses: who may have a port (bind(2),
// ip(7) SO_REUSEADDR, socket(7) SO_REUSEPORT), which port is free (RFC 6056), and who gets a packet.
#pragma once

#include "kernel/base/lock.h"
#include "kernel/base/vec.h"
#include "net/inet/address.h"
#include "net/options.h"

namespace runsc::net {

struct InetSettings;
class InetEndpoint;

class PortEntry;
struct PortKey;

// A place in a chain of a hash table.
struct PortHook {
  PortEntry* next = nullptr;
  PortEntry** at = nullptr;  // what points here; null: not linked
};

// A hash table of entries by one of their hooks; grows with them.
class PortHash {
 public:
  explicit PortHash(PortHook PortEntry::*hook) : hook_(hook) {}
  ~PortHash();
  Result<void> make_room();                      // for one more. ENOMEM
  void insert(PortEntry& entry, uint64_t hash);  // after make_room()
  void remove(PortEntry& entry);
  PortEntry* first(uint64_t hash) const { return buckets_ ? buckets_[hash & mask_] : nullptr; }
  PortEntry* next(const PortEntry& entry) const;
  bool has(const PortEntry& entry) const;
  size_t bucket_count() const { return buckets_ ? mask_ + 1 : 0; }

 private:
  PortHook PortEntry::*const hook_;
  PortEntry** buckets_ = nullptr;
  size_t mask_ = 0, count_ = 0;
};

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
  // Under the table's lock: a new connection wants exactly the addresses of `key` (connect(2)), whose port
  // the table has chosen for it, or not. True: the entry is taken out for it, the new one comes in.
  virtual bool entry_gives_way(const PortKey& key, bool chosen);
  // It has got the addresses of one that gave way.
  virtual void entry_follows(PortEntry& old) { (void)old; }

 protected:
  virtual ~PortEntry();  // not while listed

 private:
  friend class PortTable;
  friend class PortHash;
  PortHook port_hook_, receive_hook_, tuple_hook_;
  uint64_t port_hash_ = 0, tuple_hash_ = 0;
  uint32_t bits() const { return options_ ? options_->bits.load(std::memory_order_relaxed) : kept_bits_; }
  State state_ = State::unlisted;
  bool v6_ = false, v6only_ = false;
  bool explicit_port_ =
      false;  // it asked for its port; others may share a port that was chosen for connecting
  uint16_t port_ = 0, remote_port_ = 0;
  uint32_t device_ = 0, uid_ = 0;
  IpAddress local_, remote_;  // remote: any = not connected
  const Options* options_ = nullptr;
  uint32_t kept_bits_ = 0;  // instead of them
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
  PortTable(Kind kind, const InetSettings& settings);
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
  static bool addresses_meet(const PortEntry& a, const PortEntry& b);
  bool conflict(const PortEntry& a, const PortEntry& b) const;
  bool port_taken_locked(const PortEntry& entry, uint16_t port, bool shared) const REQUIRES(lock_);
  Result<uint16_t> choose_port_locked(PortEntry& entry) REQUIRES(lock_);
  Result<uint16_t> choose_tuple_locked(PortEntry& entry, uint16_t remote_port) REQUIRES(lock_);
  PortEntry* tuple_locked(const PortKey& key, const PortEntry* except) const REQUIRES(lock_);
  bool tuple_free_locked(PortEntry& entry, const PortKey& key, bool chosen) REQUIRES(lock_);
  void set_claim(PortEntry& entry, const PortClaim& claim);
  Result<void> make_room_locked() REQUIRES(lock_);
  void link_port_locked(PortEntry& entry, uint16_t port) REQUIRES(lock_);
  void link_tuple_locked(PortEntry& entry, const IpAddress& remote, uint16_t remote_port) REQUIRES(lock_);
  void unlink_locked(PortEntry& entry) REQUIRES(lock_);
  int score(const PortEntry& entry, const PortKey& key) const;
  uint64_t port_hash(uint16_t port) const;
  uint64_t tuple_hash(const PortKey& key) const;

  const Kind kind_;
  const InetSettings& settings_;
  const uint64_t secret_[2];
  mutable SpinLock lock_{LockRank::port_table};
  PortHash ports_ GUARDED_BY(lock_){&PortEntry::port_hook_};         // all
  PortHash receivers_ GUARDED_BY(lock_){&PortEntry::receive_hook_};  // streams: who listens
  PortHash tuples_ GUARDED_BY(lock_){&PortEntry::tuple_hook_};       // streams: connections
  std::atomic<uint32_t> count_{0};
};

}  // namespace runsc::net
