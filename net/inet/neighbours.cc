#include "net/inet/neighbours.h"

#include <algorithm>

#include "net/inet/arp.h"
#include "net/inet/ethernet.h"
#include "net/inet/ndp.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"
#include "net/netlink/netlink_table.h"
#include "net/network_namespace.h"

namespace runsc::net {

namespace state = neighbour_state;

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint64_t kSecond = Neighbours::kSecond, kMs = Neighbours::kMs;
constexpr uint64_t kForcedAge = 5 * kSecond;  // younger ones are not thrown out to make room
constexpr uint8_t kInTimer = state::incomplete | state::reachable | state::delay | state::probe;
constexpr uint8_t kHostUnreachable4 = 1, kAddressUnreachable6 = 3;
}  // namespace

Neighbours::Neighbours(Stack& stack, Ethernet& link) : stack_(stack), link_(link), secret_(random_u64()) {}

Neighbours::~Neighbours() {
  stop();
  flush(true);
}

void Neighbours::stop() {
  {
    LockGuard guard(lock_);
    stopped_ = true;
  }
  clock_.cancel();
}

const NeighbourSettings& Neighbours::settings(const Entry& entry) const {
  return link_.settings.neighbours[!entry.row.address.is_v4()];
}

// RFC 4861, 6.3.2: half to one and a half of the base, the same for all.
uint64_t Neighbours::reachable_ns_locked(bool v6) const {
  const uint64_t base =
      std::max<uint64_t>(1, link_.settings.neighbours[v6].base_reachable_ms.load(kRelaxed)) * kMs;
  return base / 2 + secret_ % base;
}

// ---- the table ----

Neighbours::Entry** Neighbours::place_locked(const IpAddress& address) const {
  const uint64_t hash = keyed_hash({address.high, address.low}, secret_);
  Entry** at = const_cast<Entry**>(&buckets_[hash % kBuckets]);
  while (*at && (*at)->row.address != address) at = &(*at)->next;
  return at;
}

void Neighbours::unlink_locked(Entry** at) {
  Unique<Entry> gone(*at);
  *at = gone->next;
  if (gone->row.state != state::permanent) --count_;
}

// False: there are too many, and all are young.
bool Neighbours::make_room_locked() {
  if (count_ < kMost) return true;
  const uint64_t now = monotonic_ns();
  for (Entry*& bucket : buckets_) {
    for (Entry** at = &bucket; *at;) {
      const NeighbourRow& row = (*at)->row;
      const bool old =
          row.state == state::failed || row.state == state::none || row.updated_ns + kForcedAge < now;
      if (row.state != state::permanent && old)
        unlink_locked(at);
      else
        at = &(*at)->next;
    }
  }
  return count_ < kMost;
}

Neighbours::Entry* Neighbours::make_locked(const IpAddress& address) {
  if (!make_room_locked()) return nullptr;
  Unique<Entry> fresh = make<Entry>();
  if (!fresh) return nullptr;
  NeighbourRow& row = fresh->row;
  row.address = address;
  row.used_ns = row.updated_ns = monotonic_ns();
  // Not confirmed by anybody yet.
  const uint64_t longest = 2 * reachable_ns_locked(!address.is_v4());
  row.confirmed_ns = row.used_ns - std::min(longest, row.used_ns);
  ++count_;
  Entry** at = place_locked(address);
  *at = fresh.release();
  if (count_ > kKeep) arm_locked(row.used_ns + reachable_ns_locked(!address.is_v4()));
  return *at;
}

void Neighbours::arm_locked(uint64_t deadline) {
  if (stopped_ || deadline >= next_tick_) return;
  next_tick_ = deadline;
  clock_.arm(deadline);
}

void Neighbours::state_locked(Entry& entry, uint8_t to, uint64_t deadline) {
  if ((entry.row.state == state::permanent) != (to == state::permanent)) {
    if (to == state::permanent)
      --count_;
    else
      ++count_;
  }
  entry.row.state = to;
  entry.deadline = to & kInTimer ? deadline : kNever;
  if (entry.deadline != kNever) arm_locked(entry.deadline);
}

void Neighbours::hold_locked(Entry& entry, PacketPtr packet) {
  const uint32_t most = settings(entry).queue_bytes.load(kRelaxed);
  const uint32_t size = packet->memory();
  while (!entry.held.empty() && entry.held_bytes + size > most) {
    entry.held_bytes -= entry.held.front()->memory();
    (void)entry.held.pop_front();
    link_.sent.dropped.fetch_add(1, kRelaxed);
  }
  entry.held_bytes += size;
  entry.held.push_back(std::move(packet));
}

// ---- down ----

void Neighbours::send(const IpAddress& next_hop, PacketPtr packet, uint16_t ether) {
  packet->info.ether = ether;
  Todo todo;
  MacAddress mac;
  {
    LockGuard guard(lock_);
    Entry* entry = find_locked(next_hop);
    if (!entry) entry = make_locked(next_hop);
    if (!entry) {
      link_.sent.dropped.fetch_add(1, kRelaxed);
      return;
    }
    NeighbourRow& row = entry->row;
    const uint64_t now = monotonic_ns();
    row.used_ns = now;
    if (row.state == state::stale) {
      row.updated_ns = now;
      state_locked(*entry, state::delay, now + settings(*entry).delay_first_probe_s.load(kRelaxed) * kSecond);
    }
    if (row.state & state::valid) {
      mac = row.mac;
    } else {
      const bool begins = row.state != state::incomplete;
      hold_locked(*entry, std::move(packet));
      if (begins) {
        row.probes = settings(*entry).unicast_probes.load(kRelaxed);
        row.updated_ns = now;
        state_locked(*entry, state::incomplete,
                     now + std::max<uint64_t>(settings(*entry).retransmit_ms.load(kRelaxed), 10) * kMs);
        solicit_locked(*entry, todo);
      }
    }
  }
  if (packet) return link_.send_to(mac, std::move(packet), ether);
  carry_out(todo);
}

void Neighbours::confirm(const IpAddress& next_hop) {
  LockGuard guard(lock_);
  if (Entry* entry = find_locked(next_hop)) entry->row.confirmed_ns = monotonic_ns();
}

// One question more: to the station itself first, if it is known, then to all.
void Neighbours::solicit_locked(Entry& entry, Todo& todo) {
  todo.solicit = true;
  todo.row = entry.row;
  const uint32_t unicast = settings(entry).unicast_probes.load(kRelaxed);
  todo.unicast = entry.row.probes < unicast && entry.row.state & state::valid;
  if (Packet* first = entry.held.front()) todo.source_hint = first->info.source;
  ++entry.row.probes;
}

void Neighbours::release_locked(Entry& entry, Todo& todo) {
  todo.mac = entry.row.mac;
  todo.send.swap(entry.held);
  entry.held_bytes = 0;
}

void Neighbours::carry_out(Todo& todo) {
  if (todo.solicit) {
    const MacAddress* known = todo.unicast ? &todo.row.mac : nullptr;
    if (todo.row.address.is_v4())
      send_arp_request(link_, todo.row.address, known, todo.source_hint);
    else
      send_neighbour_solicit(link_, todo.row.address, known, todo.source_hint);
  }
  if (todo.notify) stack_.netlink().neighbour_changed(link_, todo.row, todo.gone);
  while (PacketPtr packet = todo.send.pop_front()) {
    const uint16_t ether = packet->info.ether;
    link_.send_to(todo.mac, std::move(packet), ether);
  }
  while (PacketPtr packet = todo.failed.pop_front()) {
    const bool v6 = packet->info.ether == ether_type::ipv6;
    stack_.send_icmp_error(*packet, v6 ? icmp6_type::unreachable : icmp_type::unreachable,
                           v6 ? kAddressUnreachable6 : kHostUnreachable4, 0);
  }
}

// ---- time ----

// What becomes of an entry whose time has come.
bool Neighbours::tick_locked(Entry& entry, uint64_t now, Todo& todo) {
  NeighbourRow& row = entry.row;
  const NeighbourSettings& s = settings(entry);
  const uint64_t reachable = reachable_ns_locked(!row.address.is_v4());
  const uint64_t delay = s.delay_first_probe_s.load(kRelaxed) * kSecond;
  const uint64_t again = now + std::max<uint64_t>(s.retransmit_ms.load(kRelaxed), 10) * kMs;
  if (row.state == state::reachable) {
    if (now < row.confirmed_ns + reachable) {
      state_locked(entry, state::reachable, row.confirmed_ns + reachable);
    } else if (now <= row.used_ns + delay) {
      row.updated_ns = now;
      state_locked(entry, state::delay, now + delay);
    } else {
      row.updated_ns = now;
      state_locked(entry, state::stale, kNever);
      todo.notify = true;
    }
  } else if (row.state == state::delay) {
    row.updated_ns = now;
    todo.notify = true;
    if (now <= row.confirmed_ns + delay) {
      state_locked(entry, state::reachable, row.confirmed_ns + reachable);
    } else {
      row.probes = 0;
      state_locked(entry, state::probe, again);
      solicit_locked(entry, todo);
    }
  } else if (row.state & (state::incomplete | state::probe)) {
    const uint32_t unicast = s.unicast_probes.load(kRelaxed);
    const uint32_t most = row.state == state::probe ? unicast : unicast + s.multicast_probes.load(kRelaxed);
    if (row.probes >= most) {
      row.updated_ns = now;
      state_locked(entry, state::failed, kNever);
      todo.failed.swap(entry.held);
      entry.held_bytes = 0;
      todo.notify = true;
    } else {
      state_locked(entry, row.state, again);
      solicit_locked(entry, todo);
    }
  } else {
    entry.deadline = kNever;
  }
  todo.row = row;
  return true;
}

void Neighbours::tick() {
  if (!stack_.net().try_ref()) return;
  Ref<NetworkNamespace> keep = Ref<NetworkNamespace>::adopt(&stack_.net());
  const uint64_t now = monotonic_ns();
  {
    LockGuard guard(lock_);
    next_tick_ = kNever;
  }
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    for (bool more = true; more;) {
      Todo todo;
      more = false;
      {
        LockGuard guard(lock_);
        for (Entry* e = buckets_[bucket]; e && !more; e = e->next)
          if (e->deadline <= now) more = tick_locked(*e, now, todo);
      }
      if (more) carry_out(todo);
    }
  }
  {
    LockGuard guard(lock_);
    for (Entry*& bucket : buckets_) {
      for (Entry** at = &bucket; *at;) {
        const NeighbourRow& row = (*at)->row;
        const uint64_t stale = settings(**at).gc_stale_s.load(kRelaxed) * kSecond;
        const bool idle = row.state == state::failed || now > std::max(row.used_ns, row.confirmed_ns) + stale;
        if (count_ > kKeep && idle && !(row.state & (kInTimer | state::permanent))) {
          unlink_locked(at);
          continue;
        }
        if ((*at)->deadline != kNever) arm_locked((*at)->deadline);
        at = &(*at)->next;
      }
    }
    if (count_ > kKeep) arm_locked(now + reachable_ns_locked(false));
  }
  stack_.drain();
}

// ---- what is said of it ----

// As neigh(7)-like tables are brought up to date: RFC 4861, 7.2.5, with what Linux makes of it for ARP.
Result<void> Neighbours::update_locked(Entry& entry, const MacAddress* mac, uint8_t to, const Heard& what,
                                       bool admin, Todo& todo) {
  NeighbourRow& row = entry.row;
  const uint8_t old = row.state;
  const uint64_t now = monotonic_ns();
  if (!admin && old & (state::noarp | state::permanent)) return Errno::perm;
  if (!(to & state::valid)) {
    todo.notify = old & state::valid;
    if (to == state::failed && old & (state::incomplete | state::probe)) {
      todo.notify = true;
      todo.failed.swap(entry.held);
      entry.held_bytes = 0;
    }
    row.updated_ns = now;
    state_locked(entry, to, kNever);
    todo.row = row;
    return {};
  }
  if (!mac && !(old & state::valid)) return Errno::inval;
  const bool differs = mac && (!(old & state::valid) || *mac != row.mac);
  bool takes = differs, sets_router = what.sets_router;
  if (to & state::connected) row.confirmed_ns = now;
  if (old & state::valid) {
    if (differs && !what.override_mac) {
      sets_router = false;
      if (!what.weak_override || !(old & state::connected)) return {};
      takes = false;
      to = state::stale;
    } else if (!differs && to == state::stale && !admin) {
      to = old;
    }
  }
  if (to != old || takes) row.updated_ns = now;
  if (takes) {
    row.mac = *mac;
    if (!(to & state::connected)) {
      const uint64_t past = 2 * reachable_ns_locked(!row.address.is_v4());
      row.confirmed_ns = now - std::min(past, now);
    }
  }
  todo.notify = takes || to != old;
  if (to != old) {
    if (to == state::probe) row.probes = 0;
    state_locked(entry, to, to == state::reachable ? now + reachable_ns_locked(!row.address.is_v4()) : now);
  }
  if (!(old & state::valid)) release_locked(entry, todo);
  if (sets_router && bool(row.flags & neighbour_flag::router) != what.router) {
    row.flags ^= neighbour_flag::router;
    todo.notify = true;
  }
  todo.row = row;
  return {};
}

bool Neighbours::heard(const IpAddress& address, const MacAddress* mac, const Heard& what) {
  if (mac && !mac->is_station()) return false;
  bool was_router = false;
  Todo todo;
  {
    LockGuard guard(lock_);
    Entry* entry = find_locked(address);
    if (!entry && what.create && mac) entry = make_locked(address);
    if (!entry || (entry->row.state == state::failed && !what.create && !address.is_v4())) return false;
    const NeighbourRow before = entry->row;
    Heard how = what;
    if (what.after_locktime) {
      const uint64_t locked = settings(*entry).locktime_ms.load(kRelaxed) * kMs;
      how.override_mac |= monotonic_ns() > before.updated_ns + locked;
    }
    const uint8_t to = what.reachable ? state::reachable : state::stale;
    if (!update_locked(*entry, mac, to, how, false, todo)) return false;
    was_router = before.flags & neighbour_flag::router && !(entry->row.flags & neighbour_flag::router);
  }
  carry_out(todo);
  return was_router;
}

// ---- by hand ----

Result<void> Neighbours::set(const Wish& wish) {
  if (wish.has_mac && !wish.mac.is_station() && !wish.mac.is_broadcast()) return Errno::inval;
  if (wish.address.is_any() || wish.address.is_multicast()) return Errno::inval;
  // An entry is in one state.
  if ((wish.state & (wish.state - 1)) != 0) return Errno::inval;
  Todo todo;
  {
    LockGuard guard(lock_);
    Entry* entry = find_locked(wish.address);
    const bool fresh = !entry;
    if (!entry && !wish.create) return Errno::noent;
    if (!entry && !wish.has_mac && wish.state & state::valid) return Errno::inval;
    if (entry && wish.exclusive) return Errno::exist;
    if (!entry) entry = make_locked(wish.address);
    if (!entry) return Errno::nobufs;
    Heard how;
    how.override_mac = wish.replace || fresh;
    how.sets_router = true;
    how.router = wish.flags & neighbour_flag::router;
    const MacAddress* mac = wish.has_mac ? &wish.mac : nullptr;
    if (Result<void> done = update_locked(*entry, mac, wish.state, how, true, todo); !done) return done;
    entry->row.protocol = wish.protocol;
    todo.row.protocol = wish.protocol;
    // Made by hand to be asked for at once.
    if (wish.state == state::probe) solicit_locked(*entry, todo);
  }
  carry_out(todo);
  stack_.drain();
  return {};
}

Result<void> Neighbours::set(const IpAddress& address, const MacAddress& mac) {
  Wish wish;
  wish.address = address;
  wish.mac = mac;
  wish.has_mac = true;
  return set(wish);
}

Result<void> Neighbours::remove(const IpAddress& address) {
  Todo todo;
  {
    LockGuard guard(lock_);
    Entry** at = place_locked(address);
    if (!*at) return Errno::noent;
    Entry& entry = **at;
    todo.failed.swap(entry.held);
    todo.row = entry.row;
    todo.row.state = state::failed;
    todo.notify = todo.gone = true;
    unlink_locked(at);
  }
  carry_out(todo);
  stack_.drain();
  return {};
}

void Neighbours::flush(bool permanent_too) {
  LockGuard guard(lock_);
  for (Entry*& bucket : buckets_) {
    for (Entry** at = &bucket; *at;) {
      if ((*at)->row.state == state::permanent && !permanent_too)
        at = &(*at)->next;
      else
        unlink_locked(at);
    }
  }
}

Result<void> Neighbours::list(Vec<NeighbourRow>& out) const {
  LockGuard guard(lock_);
  for (const Entry* bucket : buckets_)
    for (const Entry* e = bucket; e; e = e->next) TRY(out.push_back(e->row));
  return {};
}

bool Neighbours::find(const IpAddress& address, NeighbourRow& out) const {
  LockGuard guard(lock_);
  const Entry* entry = find_locked(address);
  if (entry) out = entry->row;
  return entry;
}

}  // namespace runsc::net
