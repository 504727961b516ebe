#include "net/inet/autoconf.h"

#include <algorithm>

#include "net/inet/ethernet.h"
#include "net/inet/ndp.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"
#include "net/network_namespace.h"

namespace runsc::net {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint64_t kSecond = 1'000'000'000, kMs = 1'000'000;
constexpr uint64_t kLongestSolicit = 3600 * kSecond;  // RFC 7559
constexpr uint32_t kForEver = ~0u, kLeastMtu = 1280, kTwoHours = 7200;
constexpr uint8_t kSourceMac = 1, kPrefix = 3, kMtu = 5;
constexpr uint8_t kFromAdvert = 2, kFromKernel = 3;  // IFAPROT_KERNEL_RA, IFAPROT_KERNEL_LL
constexpr uint8_t kPrefixLength = 64;                // of an address that ends in an EUI-64
constexpr size_t kMostAddresses = 16, kMostRouters = 16, kMostPrefixes = 32;
constexpr uint32_t kRouterMetric = 1024, kPrefixMetric = 256;

struct AdvertMessage {
  IcmpHeader icmp;  // hop limit, flags, lifetime
  Be32 reachable_ms, retransmit_ms;
};
struct PrefixOption {
  uint8_t type, words, length, flags;
  Be32 valid, preferred, reserved;
  uint8_t prefix[16];
  static constexpr uint8_t kOnLink = 0x80, kAutonomous = 0x40;
};
static_assert(sizeof(AdvertMessage) == 16 && sizeof(PrefixOption) == 32 && alignof(PrefixOption) == 1);

// An address for ever is still the router's to take away.
uint64_t end_of_address(uint64_t now, uint32_t seconds) {
  return seconds == kForEver ? ~uint64_t{0} - 1 : now + seconds * kSecond;
}

uint64_t after(uint64_t now, uint32_t seconds) { return seconds == kForEver ? 0 : now + seconds * kSecond; }

// RFC 2464, 4.
uint64_t eui64(const MacAddress& mac) {
  const uint8_t bytes[8] = {
      static_cast<uint8_t>(mac.b[0] ^ 2), mac.b[1], mac.b[2], 0xff, 0xfe, mac.b[3], mac.b[4], mac.b[5]};
  uint64_t id = 0;
  for (const uint8_t b : bytes) id = id << 8 | b;
  return id;
}

bool by_advert(const RouteEntry& r, uint32_t interface) {
  return !r.v4() && r.interface == interface && r.protocol == RouteEntry::kByAdvert;
}

}  // namespace

Autoconf::Autoconf(Stack& stack, Ethernet& link) : stack_(stack), link_(link) {}

void Autoconf::stop() {
  {
    LockGuard guard(lock_);
    stopped_ = true;
  }
  clock_.cancel();
}

void Autoconf::arm_locked() {
  if (stopped_) return;
  uint64_t next = std::min(solicit_at_, expire_at_);
  for (const Probe& p : probes_) next = std::min(next, p.at_ns);
  if (next != kNever) clock_.arm(next);
}

// ---- up and down ----

void Autoconf::came_up() {
  if (link_.settings.disable_ipv6.load(kRelaxed)) return;
  Vec<InterfaceAddress> all;
  if (!stack_.config.list_addresses(link_, all)) return;
  bool has_link_local = false, sure = false;
  for (const InterfaceAddress& a : all) {
    if (a.address.is_v4()) continue;
    if (a.tentative()) begin_dad(a.address);
    if (!a.address.is_link_local()) continue;
    has_link_local = true;
    sure |= a.usable();
  }
  if (!has_link_local && link_.settings.addr_gen_mode.load(kRelaxed) == 0) {
    InterfaceAddress own;
    own.address = own.peer = IpAddress(0xfe80000000000000, eui64(link_.mac()));
    own.prefix = kPrefixLength;
    own.scope = scope::link;
    own.protocol = kFromKernel;
    (void)stack_.config.add_address(link_, own);
  }
  if (!sure) return;
  LockGuard guard(lock_);
  ask_routers_locked(monotonic_ns());
  arm_locked();
}

void Autoconf::went_down() {
  {
    LockGuard guard(lock_);
    probes_.clear();
    solicit_at_ = kNever;
  }
  Vec<InterfaceAddress> all;
  if (!stack_.config.list_addresses(link_, all)) return;
  for (const InterfaceAddress& a : all)
    if (!a.address.is_v4()) (void)stack_.config.remove_address(link_, a.address, a.prefix);
}

// RFC 4861, 6.3.7: the first after a while that differs from station to station.
void Autoconf::ask_routers_locked(uint64_t now) {
  const auto times = static_cast<int32_t>(link_.settings.router_solicitations.load(kRelaxed));
  if (!link_.settings.accept_ra.load(kRelaxed) || times == 0 || solicit_at_ != kNever) return;
  const uint64_t delay = link_.settings.router_solicit_delay_s.load(kRelaxed) * kSecond;
  solicits_left_ = times;
  solicit_step_ = std::max<uint64_t>(1, link_.settings.router_solicit_interval_s.load(kRelaxed)) * kSecond;
  solicit_at_ = now + (delay ? random_u64() % delay : 0);
}

// ---- is it ours alone? ----

void Autoconf::begin_dad(const IpAddress& address) {
  const uint32_t times = link_.settings.dad_transmits.load(kRelaxed);
  if (times == 0 || !link_.settings.accept_dad.load(kRelaxed)) return found_free(address);
  const uint64_t delay = link_.settings.router_solicit_delay_s.load(kRelaxed) * kSecond;
  constexpr uint64_t kSixBytes = (uint64_t{1} << 48) - 1;
  LockGuard guard(lock_);
  for (const Probe& p : probes_)
    if (p.address == address) return;
  if (!probes_.push_back(
          {address, times, random_u64() & kSixBytes, monotonic_ns() + (delay ? random_u64() % delay : 0)}))
    return;  // stays tentative
  arm_locked();
}

void Autoconf::forget(const IpAddress& address) {
  LockGuard guard(lock_);
  for (size_t i = probes_.size(); i-- > 0;)
    if (probes_[i].address == address) probes_.erase(i);
}

bool Autoconf::own_nonce(const IpAddress& address, uint64_t nonce) const {
  LockGuard guard(lock_);
  return std::any_of(probes_.begin(), probes_.end(),
                     [&](const Probe& p) { return p.address == address && p.nonce == nonce; });
}

void Autoconf::somebody_has(const IpAddress& address) {
  forget(address);
  InterfaceAddress ours;
  if (!stack_.config.find_address(address, link_.index(), ours)) return;
  if (ours.flags & address_flag::permanent)
    (void)stack_.config.change_address(link_, address, address_flag::dad_failed, address_flag::dad_failed);
  else
    (void)stack_.config.remove_address(link_, address, ours.prefix);
}

void Autoconf::found_free(const IpAddress& address) {
  using namespace address_flag;
  if (!stack_.config.change_address(link_, address, 0, tentative | optimistic | dad_failed)) return;
  if (!address.is_link_local()) return;
  link_.has_link_local();
  LockGuard guard(lock_);
  ask_routers_locked(monotonic_ns());
  arm_locked();
}

void Autoconf::tick() {
  if (!stack_.net().try_ref()) return;
  Ref<NetworkNamespace> keep = Ref<NetworkNamespace>::adopt(&stack_.net());
  const uint64_t now = monotonic_ns();
  const uint64_t again =
      std::max<uint64_t>(link_.settings.neighbours[1].retransmit_ms.load(kRelaxed), 10) * kMs;
  for (bool more = true; more;) {
    more = false;
    Probe due{};
    {
      LockGuard guard(lock_);
      for (size_t i = 0; i < probes_.size() && !more; ++i) {
        Probe& p = probes_[i];
        if (p.at_ns > now) continue;
        more = true;
        due = p;
        if (p.left == 0) {
          probes_.erase(i);
        } else {
          --p.left;
          p.at_ns = now + again;
        }
      }
    }
    if (more && due.left) send_dad_probe(link_, due.address, due.nonce);
    if (more && !due.left) found_free(due.address);
  }
  bool ask = false;
  uint64_t expire_at;
  {
    LockGuard guard(lock_);
    expire_at = expire_at_;
    if (expire_at <= now) expire_at_ = kNever;
    ask = solicit_at_ <= now;
    if (ask) {
      if (solicits_left_ > 0) --solicits_left_;
      // RFC 7559: twice as long each time, a little more or less.
      solicit_at_ = solicits_left_ == 0
                        ? kNever
                        : now + solicit_step_ - solicit_step_ / 10 + random_u64() % (solicit_step_ / 5);
      solicit_step_ = std::min(2 * solicit_step_, kLongestSolicit);
    }
  }
  if (ask) send_router_solicit(link_);
  if (expire_at <= now) watch_times();
  {
    LockGuard guard(lock_);
    arm_locked();
  }
  stack_.drain();
}

// Too early a time does no harm: it is looked at again then.
void Autoconf::watch_times() {
  const uint64_t next = stack_.config.expire(link_, monotonic_ns());
  LockGuard guard(lock_);
  expire_at_ = std::min(expire_at_, next);
  arm_locked();
}

// ---- what routers say ----

void Autoconf::no_router_any_more(const IpAddress& router) {
  Vec<RouteEntry> routes;
  if (!stack_.config.list_routes(routes)) return;
  for (const RouteEntry& r : routes)
    if (by_advert(r, link_.index()) && r.length == 0 && r.gateway == router)
      (void)stack_.config.remove_route(r);
}

void Autoconf::router(const IpAddress& router, uint32_t lifetime_s, uint64_t now) {
  if (lifetime_s == 0) return no_router_any_more(router);
  Vec<RouteEntry> routes;
  if (!stack_.config.list_routes(routes)) return;
  size_t others = 0;
  for (const RouteEntry& r : routes)
    others += by_advert(r, link_.index()) && r.length == 0 && r.gateway != router;
  if (others >= kMostRouters) return;
  RouteEntry way;
  way.gateway = router;
  way.interface = link_.index();
  way.metric = kRouterMetric;
  way.protocol = RouteEntry::kByAdvert;
  way.expires_ns = after(now, lifetime_s);
  (void)stack_.config.put_route(way);
}

void Autoconf::prefix(std::span<const std::byte> option, uint64_t now) {
  if (option.size() != sizeof(PrefixOption)) return;
  const auto& p = header_at<PrefixOption>(option.data());
  const IpAddress address = IpAddress::from_v6(p.prefix).masked(std::min<unsigned>(p.length, 128));
  const uint32_t valid = p.valid, preferred = p.preferred;
  if (p.length > 128 || address.is_multicast() || address.is_link_local() || address.is_v4() ||
      preferred > valid)
    return;
  if (p.flags & PrefixOption::kOnLink) {
    RouteEntry way;
    way.destination = address;
    way.length = p.length;
    way.interface = link_.index();
    way.metric = kPrefixMetric;
    way.protocol = RouteEntry::kByKernel;
    way.expires_ns = after(now, valid);
    way.by_prefix = true;
    Vec<RouteEntry> routes;
    if (!stack_.config.list_routes(routes)) return;
    size_t known = 0;
    bool there = false;
    for (const RouteEntry& r : routes) {
      if (r.v4() || r.interface != link_.index() || r.table != RouteEntry::kMain) continue;
      known += r.by_prefix;
      // Not what an address brought along.
      there |= r.by_prefix && r.destination == address && r.length == p.length;
    }
    if (valid == 0 && there) (void)stack_.config.remove_route(way);
    if (valid != 0 && (there || known < kMostPrefixes)) (void)stack_.config.put_route(way);
  }
  if (p.flags & PrefixOption::kAutonomous && p.length == kPrefixLength &&
      link_.settings.autoconf.load(kRelaxed))
    address_of_prefix(address, valid, preferred, now);
}

// RFC 4862, 5.5.3 (e).
void Autoconf::refresh(const InterfaceAddress& address, uint32_t valid_s, uint32_t preferred_s,
                       uint64_t now) {
  InterfaceAddress own = address;
  const uint64_t left = own.valid_ns > now ? (own.valid_ns - now) / kSecond : 0;
  // Nobody ends an address at once who cannot prove who he is.
  valid_s = std::max(valid_s, static_cast<uint32_t>(std::min<uint64_t>(left, kTwoHours)));
  own.valid_ns = end_of_address(now, valid_s);
  own.preferred_ns = after(now, preferred_s);
  own.changed_ns = now;
  const uint32_t old = preferred_s == 0 ? address_flag::deprecated : 0;
  (void)stack_.config.change_address(link_, own.address, old, address_flag::deprecated, &own);
}

// RFC 4862, 5.5.3.
void Autoconf::address_of_prefix(const IpAddress& prefix, uint32_t valid_s, uint32_t preferred_s,
                                 uint64_t now) {
  const IpAddress address(prefix.high, eui64(link_.mac()));
  Vec<InterfaceAddress> all;
  if (!stack_.config.list_addresses(link_, all)) return;
  size_t count = 0;
  bool known = false;
  for (const InterfaceAddress& a : all) {
    if (a.address.is_v4()) continue;
    ++count;
    // Whoever made it of this prefix: the host may have done so by another rule.
    const bool made = a.flags & address_flag::manage_temporary && a.prefix == kPrefixLength &&
                      a.address.high == prefix.high;
    if (a.address != address && !made) continue;
    known = true;
    if (!(a.flags & address_flag::permanent)) refresh(a, valid_s, preferred_s, now);
  }
  if (known || valid_s == 0 || count >= kMostAddresses) return;
  InterfaceAddress own;
  own.address = own.peer = address;
  own.prefix = kPrefixLength;
  own.protocol = kFromAdvert;
  own.flags = address_flag::manage_temporary | (preferred_s == 0 ? address_flag::deprecated : 0);
  own.valid_ns = end_of_address(now, valid_s);
  own.preferred_ns = after(now, preferred_s);
  (void)stack_.config.add_address(link_, own);
}

void Autoconf::router_advert(Packet& packet) {
  const InterfaceSettings& s = link_.settings;
  const std::span<std::byte> bytes = packet.header(packet.size());
  const IpAddress from = packet.info.source;
  if (bytes.size() < sizeof(AdvertMessage) || !from.is_link_local()) return;
  if (!s.accept_ra.load(kRelaxed) || s.disable_ipv6.load(kRelaxed)) return;
  const std::span<const std::byte> rest = bytes.subspan(sizeof(AdvertMessage));
  NdpOptions::Item item;
  {
    NdpOptions options(rest);
    while (options.next(item)) {
    }
    if (options.wrong()) return;
  }
  const auto advert = header_at<AdvertMessage>(bytes.data());
  const uint32_t info = advert.icmp.info, reachable = advert.reachable_ms, retransmit = advert.retransmit_ms;
  const uint64_t now = monotonic_ns();
  {
    LockGuard guard(lock_);
    if (solicit_step_) solicit_at_ = kNever;  // one has answered
  }
  if (s.accept_ra_defrtr.load(kRelaxed)) router(from, info & 0xffff, now);
  constexpr uint32_t kLeastReachable = 100, kLeastRetransmit = 10, kMost = 3'600'000 * 24u;
  if (info >> 24) link_.settings.hop_limit.store(info >> 24, kRelaxed);
  NeighbourSettings& n = link_.settings.neighbours[1];
  if (retransmit) n.retransmit_ms.store(std::clamp(retransmit, kLeastRetransmit, kMost), kRelaxed);
  if (reachable) n.base_reachable_ms.store(std::clamp(reachable, kLeastReachable, kMost), kRelaxed);
  NdpOptions options(rest);
  while (options.next(item)) {
    if (item.type == kSourceMac && item.data.size() == 2 + sizeof(MacAddress)) {
      const MacAddress mac = MacAddress::from(item.data.data() + 2);
      Neighbours::Heard heard;
      heard.create = heard.override_mac = heard.weak_override = heard.sets_router = heard.router = true;
      link_.neighbours()->heard(from, &mac, heard);
    } else if (item.type == kPrefix && s.accept_ra_pinfo.load(kRelaxed)) {
      prefix(item.data, now);
    } else if (item.type == kMtu && s.accept_ra_mtu.load(kRelaxed) && item.data.size() == 8) {
      const uint32_t mtu = header_at<Be32>(item.data.data() + 4);
      if (mtu >= kLeastMtu && mtu <= link_.mtu()) stack_.config.set_mtu6(link_, mtu);
    }
  }
  watch_times();
}

}  // namespace runsc::net
