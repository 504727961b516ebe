#include "net/inet/port_table.h"

#include "kernel/base/check.h"
#include "net/inet/inet_settings.h"
#include "net/services.h"

namespace runsc::net {

namespace {

constexpr int kNoMatch = -1;

uint64_t mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

struct PortRange {
  uint32_t low, size;
};
// The two ends may be changed one after the other.
PortRange port_range(const InetSettings& settings) {
  const uint32_t low = settings.port_low.load(std::memory_order_relaxed),
                 high = settings.port_high.load(std::memory_order_relaxed);
  return {low, high >= low ? high - low + 1 : 1};
}

}  // namespace

PortTable::PortTable(Kind kind, const InetSettings& settings)
    : kind_(kind), settings_(settings), secret_{random_u64() | 1, random_u64() | 1} {}

PortTable::~PortTable() { DCHECK(count() == 0, "a namespace ends while its sockets have names"); }

uint64_t PortTable::port_hash(uint16_t port) const { return mix(port ^ secret_[0], secret_[1]); }

// Keyed, so that nobody outside can fill one chain.
uint64_t PortTable::tuple_hash(const PortKey& key) const {
  uint64_t h = mix(key.local.high ^ secret_[0], key.local.low ^ secret_[1]);
  h = mix(h ^ key.remote.high, key.remote.low ^ secret_[0]);
  return mix(h ^ key.port, (uint64_t{key.remote_port} << 16) ^ secret_[1]);
}

// ---- who is in the way of whom ----

// The addresses at which two sockets wait have one in common.
bool PortTable::addresses_meet(const PortEntry& a, const PortEntry& b) {
  const bool a_all = a.local_ == kAnyV6, b_all = b.local_ == kAnyV6;
  if (a_all && b_all) return true;
  if (a_all) return !(a.v6only_ && b.local_.is_v4());
  if (b_all) return !(b.v6only_ && a.local_.is_v4());
  if (a.local_.is_v4() && b.local_.is_v4() && (a.local_.is_any() || b.local_.is_any())) return true;
  return a.local_ == b.local_;
}

bool PortTable::conflict(const PortEntry& a, const PortEntry& b) const {
  if (a.device_ && b.device_ && a.device_ != b.device_) return false;
  const uint32_t both = a.bits() & b.bits();
  const bool reusable = kind_ == Kind::datagram || b.state_ != PortEntry::State::listening;
  if ((both & option_bit::reuseaddr) && reusable) return false;
  const bool ended = b.options_ == nullptr;
  if ((both & option_bit::reuseport) && (ended || a.uid_ == b.uid_)) return false;
  return addresses_meet(a, b);
}

// `shared`: for a connection, which shares its port with other connections but not with who asked for it.
bool PortTable::port_taken_locked(const PortEntry& entry, uint16_t port, bool shared) const {
  for (PortEntry* e = ports_.first(port_hash(port)); e; e = ports_.next(*e)) {
    if (e == &entry || e->port_ != port) continue;
    if (shared ? e->explicit_port_ : addresses_meet(entry, *e)) return true;
  }
  return false;
}

// RFC 6056, 3.3.1: anywhere in the range, then one after the other.
Result<uint16_t> PortTable::choose_port_locked(PortEntry& entry) {
  const auto [low, range] = port_range(settings_);
  const uint32_t start = random_u32() % range;
  for (uint32_t i = 0; i < range; ++i) {
    const auto port = static_cast<uint16_t>(low + (start + i) % range);
    if (!port_taken_locked(entry, port, false)) return port;
  }
  return Errno::addrinuse;
}

PortEntry* PortTable::tuple_locked(const PortKey& key, const PortEntry* except) const {
  const uint64_t hash = tuple_hash(key);
  for (PortEntry* e = tuples_.first(hash); e; e = tuples_.next(*e)) {
    if (e == except || e->tuple_hash_ != hash || e->port_ != key.port || e->remote_port_ != key.remote_port)
      continue;
    if (e->local_ != key.local || e->remote_ != key.remote) continue;
    if (e->device_ && key.interface && e->device_ != key.interface) continue;
    return e;
  }
  return nullptr;
}

bool PortEntry::entry_gives_way(const PortKey&, bool) { return false; }

bool PortTable::tuple_free_locked(PortEntry& entry, const PortKey& key, bool chosen) {
  PortEntry* other = tuple_locked(key, &entry);
  if (!other) return true;
  if (!other->entry_gives_way(key, chosen)) return false;
  unlink_locked(*other);
  entry.entry_follows(*other);
  return true;
}

// RFC 6056, 3.3.3: where to begin depends on the other end, in a way that strangers cannot foresee.
Result<uint16_t> PortTable::choose_tuple_locked(PortEntry& entry, uint16_t remote_port) {
  const auto [low, range] = port_range(settings_);
  const uint32_t start = random_u32() % range;
  PortKey key{entry.local_, entry.remote_, 0, remote_port, entry.device_};
  for (uint32_t i = 0; i < range; ++i) {
    key.port = static_cast<uint16_t>(low + (start + i) % range);
    if (!port_taken_locked(entry, key.port, true) && tuple_free_locked(entry, key, true)) return key.port;
  }
  return Errno::addrnotavail;
}

// ---- in and out ----

void PortTable::set_claim(PortEntry& entry, const PortClaim& claim) {
  entry.v6_ = claim.v6;
  entry.v6only_ = claim.v6only;
  entry.device_ = claim.device;
  entry.uid_ = claim.uid;
  entry.options_ = claim.options;
}

Result<void> PortTable::make_room_locked() {
  TRY(ports_.make_room());
  TRY(receivers_.make_room());
  return tuples_.make_room();
}

void PortTable::link_port_locked(PortEntry& entry, uint16_t port) {
  entry.port_ = port;
  entry.port_hash_ = port_hash(port);
  ports_.insert(entry, entry.port_hash_);
  entry.state_ = PortEntry::State::bound;
  count_.fetch_add(1, std::memory_order_relaxed);
}

void PortTable::link_tuple_locked(PortEntry& entry, const IpAddress& remote, uint16_t remote_port) {
  tuples_.remove(entry);
  entry.remote_ = remote;
  entry.remote_port_ = remote_port;
  entry.tuple_hash_ = tuple_hash({entry.local_, remote, entry.port_, remote_port, 0});
  if (kind_ == Kind::stream) tuples_.insert(entry, entry.tuple_hash_);
  entry.state_ = PortEntry::State::connected;
}

void PortTable::unlink_locked(PortEntry& entry) {
  if (entry.state_ == PortEntry::State::unlisted) return;
  ports_.remove(entry);
  receivers_.remove(entry);
  tuples_.remove(entry);
  entry.state_ = PortEntry::State::unlisted;
  entry.kept_bits_ = entry.bits();
  entry.options_ = nullptr;
  entry.port_ = entry.remote_port_ = 0;
  entry.remote_ = kAnyV6;
  count_.fetch_sub(1, std::memory_order_relaxed);
}

Result<uint16_t> PortTable::bind(PortEntry& entry, const PortClaim& claim, const IpAddress& local,
                                 uint16_t port) {
  LockGuard guard(lock_);
  if (entry.state_ != PortEntry::State::unlisted) return Errno::inval;
  TRY(make_room_locked());
  set_claim(entry, claim);
  entry.local_ = local;
  entry.explicit_port_ = true;
  if (port == 0) {
    port = TRY(choose_port_locked(entry));
  } else {
    for (PortEntry* e = ports_.first(port_hash(port)); e; e = ports_.next(*e))
      if (e->port_ == port && conflict(entry, *e)) return Errno::addrinuse;
  }
  link_port_locked(entry, port);
  return port;
}

Result<void> PortTable::listen(PortEntry& entry) {
  LockGuard guard(lock_);
  if (entry.state_ == PortEntry::State::listening) return {};
  if (entry.state_ != PortEntry::State::bound) return Errno::inval;
  for (PortEntry* e = ports_.first(entry.port_hash_); e; e = ports_.next(*e))
    if (e != &entry && e->port_ == entry.port_ && conflict(entry, *e)) return Errno::addrinuse;
  TRY(make_room_locked());
  entry.state_ = PortEntry::State::listening;
  receivers_.insert(entry, entry.port_hash_);
  return {};
}

void PortTable::unlisten(PortEntry& entry) {
  LockGuard guard(lock_);
  if (entry.state_ != PortEntry::State::listening) return;
  receivers_.remove(entry);
  entry.state_ = PortEntry::State::bound;
}

Result<uint16_t> PortTable::connect(PortEntry& entry, const PortClaim& claim, const IpAddress& local,
                                    const IpAddress& remote, uint16_t remote_port) {
  LockGuard guard(lock_);
  TRY(make_room_locked());
  set_claim(entry, claim);
  const bool unlisted = entry.state_ == PortEntry::State::unlisted;
  const IpAddress old_local = entry.local_, old_remote = entry.remote_;
  entry.local_ = local;
  if (kind_ == Kind::datagram) {
    if (unlisted) {
      entry.explicit_port_ = true;
      Result<uint16_t> port = choose_port_locked(entry);
      if (!port) return Errno::again;  // what Linux says when a datagram socket finds no port
      link_port_locked(entry, *port);
    }
    link_tuple_locked(entry, remote, remote_port);
    return entry.port_;
  }
  entry.remote_ = remote;
  Result<uint16_t> port = entry.port_;
  if (unlisted) {
    entry.explicit_port_ = false;
    port = choose_tuple_locked(entry, remote_port);
  } else if (!tuple_free_locked(entry, {local, remote, entry.port_, remote_port, entry.device_}, false)) {
    port = Errno::addrnotavail;
  }
  if (!port) {
    // As if it had not been tried.
    entry.local_ = old_local;
    entry.remote_ = old_remote;
    return port;
  }
  if (unlisted) link_port_locked(entry, *port);
  link_tuple_locked(entry, remote, remote_port);
  return entry.port_;
}

void PortTable::disconnect(PortEntry& entry, const IpAddress& local, bool keep_port) {
  LockGuard guard(lock_);
  if (entry.state_ == PortEntry::State::unlisted) return;
  if (!keep_port) return unlink_locked(entry);
  tuples_.remove(entry);
  entry.local_ = local;
  entry.remote_ = kAnyV6;
  entry.remote_port_ = 0;
  entry.state_ = PortEntry::State::bound;
}

Result<void> PortTable::add_connected(PortEntry& entry, const PortClaim& claim, const PortKey& key,
                                      PortEntry* instead) {
  LockGuard guard(lock_);
  if (entry.state_ != PortEntry::State::unlisted) return Errno::inval;
  if (tuple_locked(key, instead)) return Errno::addrinuse;
  TRY(make_room_locked());
  set_claim(entry, claim);
  entry.explicit_port_ = true;
  if (instead) {
    entry.explicit_port_ = instead->explicit_port_;
    entry.kept_bits_ = instead->bits();
    unlink_locked(*instead);
  }
  entry.local_ = key.local;
  link_port_locked(entry, key.port);
  link_tuple_locked(entry, key.remote, key.remote_port);
  return {};
}

void PortTable::remove(PortEntry& entry) {
  LockGuard guard(lock_);
  unlink_locked(entry);
}

void PortTable::set_device(PortEntry& entry, uint32_t device) {
  LockGuard guard(lock_);
  entry.device_ = device;
}

// ---- who gets a packet ----

// How well an entry fits; kNoMatch: not at all. An address of its own counts more than all the rest.
int PortTable::score(const PortEntry& e, const PortKey& key) const {
  constexpr int kAddress = 64, kMore = 4;
  if (e.port_ != key.port) return kNoMatch;
  const bool v4 = key.local.is_v4();
  if (v4 ? e.v6only_ : !e.v6_) return kNoMatch;
  int points = v4 && !e.v6_ ? 1 : 0;
  if (!e.local_.is_any()) {
    if (e.local_ != key.local) return kNoMatch;
    points += kAddress;
  } else if (!v4 && e.local_.is_v4()) {
    return kNoMatch;
  }
  if (e.state_ == PortEntry::State::connected) {
    if (!e.remote_.is_any()) {
      if (e.remote_ != key.remote) return kNoMatch;
      points += kMore;
    }
    if (e.remote_port_ != 0) {
      if (e.remote_port_ != key.remote_port) return kNoMatch;
      points += kMore;
    }
  }
  if (e.device_) {
    if (e.device_ != key.interface) return kNoMatch;
    points += kMore;
  }
  return points;
}

PortRef PortTable::find_connected(const PortKey& key) {
  LockGuard guard(lock_);
  PortEntry* e = tuple_locked(key, nullptr);
  return e && e->entry_try_ref() ? PortRef(e) : PortRef();
}

PortRef PortTable::find_receiver(const PortKey& key) {
  LockGuard guard(lock_);
  PortHash& table = kind_ == Kind::stream ? receivers_ : ports_;
  PortEntry* best = nullptr;
  int best_score = kNoMatch;
  uint32_t equals = 0;  // of a SO_REUSEPORT group
  for (PortEntry* e = table.first(port_hash(key.port)); e; e = table.next(*e)) {
    const int points = score(*e, key);
    if (points == kNoMatch || points < best_score) continue;
    if (points == best_score) {
      if (best->bits() & e->bits() & option_bit::reuseport) ++equals;
      continue;
    }
    best = e;
    best_score = points;
    equals = 1;
  }
  if (!best) return {};
  if (equals > 1) {
    // socket(7): the packets of one flow go to one socket.
    uint32_t choice = static_cast<uint32_t>(tuple_hash(key) >> 32) % equals;
    for (PortEntry* e = table.first(port_hash(key.port)); e; e = table.next(*e)) {
      if (score(*e, key) != best_score || !(e->bits() & option_bit::reuseport)) continue;
      best = e;
      if (choice-- == 0) break;
    }
  }
  return best->entry_try_ref() ? PortRef(best) : PortRef();
}

Result<void> PortTable::find_all(const PortKey& key, Vec<PortRef>& out) {
  LockGuard guard(lock_);
  PortHash& table = kind_ == Kind::stream ? receivers_ : ports_;
  for (PortEntry* e = table.first(port_hash(key.port)); e; e = table.next(*e)) {
    if (score(*e, key) == kNoMatch || !e->entry_try_ref()) continue;
    TRY(out.push_back(PortRef(e)));
  }
  return {};
}

Result<void> PortTable::list(Vec<PortRef>& out) {
  TRY(out.reserve(count() + 16));
  LockGuard guard(lock_);
  for (size_t i = 0; i < ports_.bucket_count(); ++i)
    for (PortEntry* e = ports_.first(i); e; e = ports_.next(*e))
      if (e->entry_try_ref()) TRY(out.push_back(PortRef(e)));
  return {};
}

}  // namespace runsc::net
