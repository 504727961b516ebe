#include "net/inet/multicast_reports.h"

#include <algorithm>

#include "net/inet/ethernet.h"
#include "net/inet/icmp_send.h"
#include "net/inet/ndp.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"
#include "net/network_namespace.h"

namespace runsc::net {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint64_t kSecond = 1'000'000'000, kMs = 1'000'000;
constexpr IpAddress kAllHosts4 = IpAddress::v4(0xe0000001), kAllRouters4 = IpAddress::v4(0xe0000002),
                    kReports4 = IpAddress::v4(0xe0000016), kReports6{0xff02000000000000, 0x16};
constexpr uint8_t kRobustness = 2, kInternetControl = 0xc0;
constexpr uint64_t kOlderRouter = 400 * kSecond;
constexpr uint64_t kUnsolicited3 = kSecond, kUnsolicited2 = 10 * kSecond, kLeastDelay = 10 * kMs;

namespace igmp_type {
constexpr uint8_t query = 0x11, report1 = 0x12, report2 = 0x16, leave = 0x17, report3 = 0x22;
}

struct IgmpHeader {
  uint8_t type, code;
  Sum16 checksum;
  uint8_t group[4];
};
struct IgmpReport3 {  // with one record
  uint8_t type, reserved;
  Sum16 checksum;
  Be16 reserved2, records;
  uint8_t kind, words;
  Be16 sources;
  uint8_t group[4];
};
struct MldHeader {
  uint8_t type, code;
  Sum16 checksum;
  Be16 delay_ms, reserved;
  uint8_t group[16];
};
struct MldReport2 {  // with one record
  uint8_t type, reserved;
  Sum16 checksum;
  Be16 reserved2, records;
  uint8_t kind, words;
  Be16 sources;
  uint8_t group[16];
};
static_assert(sizeof(IgmpHeader) == 8 && sizeof(IgmpReport3) == 16 && sizeof(MldHeader) == 24 &&
              sizeof(MldReport2) == 28);
constexpr size_t kQuery3 = 12;  // the least of an IGMPv3 query
constexpr size_t kQuery6 = 28;  // of an MLDv2 one

// RFC 3376, 4.1.1; RFC 3810, 5.1.3: large codes are floating point.
uint32_t from_code8(uint8_t code) {
  return code < 128 ? code : uint32_t{16u | (code & 15u)} << ((code >> 4 & 7) + 3);
}
uint32_t from_code16(uint16_t code) {
  return code < 32768 ? code : uint32_t{0x1000u | (code & 0xfffu)} << ((code >> 12 & 7) + 3);
}

bool never_told(const IpAddress& group) {
  if (group.is_v4()) return group == kAllHosts4;
  return group == kAllNodes || (group.high >> 48 & 0xf) <= 1;
}

uint64_t some_of(uint64_t span) { return span ? random_u64() % span : 0; }

}  // namespace

MulticastReports::MulticastReports(Stack& stack, Ethernet& link) : stack_(stack), link_(link) {}

void MulticastReports::stop() {
  {
    LockGuard guard(lock_);
    stopped_ = true;
  }
  clock_.cancel();
}

void MulticastReports::arm_locked() {
  if (stopped_) return;
  uint64_t next = kNever;
  for (const Group& g : groups_) next = std::min(next, g.at_ns);
  if (next != kNever) clock_.arm(next);
}

unsigned MulticastReports::version_locked(bool v6, uint64_t now) const {
  const InterfaceSettings& s = link_.settings;
  if (const uint32_t forced = (v6 ? s.force_mld_version : s.force_igmp_version).load(kRelaxed))
    return std::min(forced, v6 ? 2u : 3u);
  if (v6) return older_until_[2] > now ? 1 : 2;
  return older_until_[0] > now ? 1 : older_until_[1] > now ? 2 : 3;
}

unsigned MulticastReports::version(bool v6) const {
  LockGuard guard(lock_);
  return version_locked(v6, monotonic_ns());
}

// ---- what we do ----

void MulticastReports::joined(const IpAddress& group) {
  if (never_told(group)) return;
  LockGuard guard(lock_);
  const uint64_t now = monotonic_ns();
  Group* found = nullptr;
  for (Group& g : groups_)
    if (g.group == group) found = &g;
  if (!found) {
    if (!groups_.push_back({.group = group})) return;  // nobody is told: as if the reports had been lost
    found = &groups_.back();
  }
  found->gone = false;
  found->change = true;
  found->times = kRobustness;
  found->at_ns = link_.up() ? now : kNever;
  arm_locked();
}

void MulticastReports::left(const IpAddress& group) {
  LockGuard guard(lock_);
  const uint64_t now = monotonic_ns();
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& g = groups_[i];
    if (g.group != group) continue;
    if (!link_.up()) {
      groups_.erase(i);
      return;
    }
    g.gone = g.change = true;
    g.times = kRobustness;
    g.at_ns = now;
    break;
  }
  arm_locked();
}

void MulticastReports::came_up() {
  LockGuard guard(lock_);
  const uint64_t now = monotonic_ns();
  for (Group& g : groups_) {
    g.change = true;
    g.times = kRobustness;
    g.at_ns = now;
  }
  arm_locked();
}

void MulticastReports::went_down() {
  LockGuard guard(lock_);
  for (size_t i = groups_.size(); i-- > 0;) {
    groups_[i].at_ns = kNever;
    if (groups_[i].gone) groups_.erase(i);
  }
  for (uint64_t& until : older_until_) until = 0;
}

void MulticastReports::has_link_local() {
  LockGuard guard(lock_);
  const uint64_t now = monotonic_ns();
  for (Group& g : groups_) {
    if (g.group.is_v4() || g.gone) continue;
    g.change = true;
    g.times = kRobustness;
    g.at_ns = now;
  }
  arm_locked();
}

struct MulticastReports::Due {
  Group group;
  unsigned version = 0;
};

// What is due from place `from` on, which is moved behind what has been looked at.
size_t MulticastReports::take_due_locked(uint64_t now, size_t& from, std::span<Due> out) {
  size_t count = 0;
  while (from < groups_.size() && count < out.size()) {
    Group& g = groups_[from];
    if (g.at_ns > now) {
      ++from;
      continue;
    }
    const bool v6 = !g.group.is_v4();
    const unsigned version = version_locked(v6, now);
    out[count++] = {g, version};
    const bool newest = version == (v6 ? 2 : 3);
    if (g.change && g.times) --g.times;
    if (g.gone && !newest) g.times = 0;
    g.reporter = true;
    g.at_ns = kNever;
    if (g.change && g.times)
      g.at_ns = now + kLeastDelay + some_of(newest ? kUnsolicited3 : kUnsolicited2);
    else
      g.change = false;
    if (g.gone && g.times == 0) {
      // The last one takes its place, and is the next to be looked at.
      std::swap(g, groups_.back());
      groups_.pop_back();
    } else {
      ++from;
    }
  }
  return count;
}

void MulticastReports::tick() {
  if (!stack_.net().try_ref()) return;
  Ref<NetworkNamespace> keep = Ref<NetworkNamespace>::adopt(&stack_.net());
  const uint64_t now = monotonic_ns();
  constexpr size_t kAtOnce = 16;
  Due due[kAtOnce];
  size_t from = 0, count;
  do {
    {
      LockGuard guard(lock_);
      count = take_due_locked(now, from, due);
    }
    for (const Due& d : std::span(due, count)) {
      // Two who joined and left at the same time may have told us in the wrong order.
      const bool member = stack_.config.is_member(link_.index(), d.group.group);
      if (member != d.group.gone)
        report(d.group, d.version);
      else if (member)
        joined(d.group.group);
      else
        left(d.group.group);
    }
  } while (count == kAtOnce);
  {
    LockGuard guard(lock_);
    arm_locked();
  }
  stack_.drain();
}

void MulticastReports::report(const Group& group, unsigned version) {
  if (group.group.is_v4())
    report4(group, version);
  else
    report6(group, version);
}

void MulticastReports::report4(const Group& group, unsigned version) {
  const bool leaves = group.gone;
  if (leaves && (version == 1 || (version == 2 && !group.reporter))) return;
  PacketPtr packet = Packet::create(sizeof(IgmpReport3));
  if (!packet) return;
  IpAddress to = group.group;
  Sum16* checksum;
  if (version == 3) {
    auto& r = header_at<IgmpReport3>(packet->put(sizeof(IgmpReport3)));
    r = {};
    r.type = igmp_type::report3;
    r.records = 1;
    r.kind = static_cast<uint8_t>(!group.change ? Kind::is_exclude
                                  : leaves      ? Kind::to_include
                                                : Kind::to_exclude);
    group.group.put_v4(r.group);
    to = kReports4;
    checksum = &r.checksum;
  } else {
    auto& r = header_at<IgmpHeader>(packet->put(sizeof(IgmpHeader)));
    r = {};
    r.type = leaves ? igmp_type::leave : version == 2 ? igmp_type::report2 : igmp_type::report1;
    group.group.put_v4(r.group);
    if (leaves) to = kAllRouters4;
    checksum = &r.checksum;
  }
  checksum->set_raw(checksum_of(packet->linear()));
  Route route;
  route.interface = Ref<Interface>(link_);
  route.source = link_.arp_source(to, kAnyV4);
  route.destination = route.next_hop = to;
  route.type = RouteType::multicast;
  route.mtu = link_.mtu();
  static constexpr uint8_t kAlert[4] = {148, 4, 0, 0};  // RFC 2113
  IpSendOptions options;
  options.protocol = ip_protocol::igmp;
  options.ttl = 1;
  options.tos = version == 3 ? kInternetControl : uint8_t{0};
  options.multicast_loop = false;
  options.dont_fragment = true;
  options.ip_options = std::as_bytes(std::span(kAlert));
  (void)stack_.send(route, std::move(packet), options);
}

void MulticastReports::report6(const Group& group, unsigned version) {
  const bool leaves = group.gone;
  if (leaves && version == 1 && !group.reporter) return;
  const IpAddress from = link_.link_local();
  if (from.is_any() && version == 1) return;  // RFC 3590: such a report says nothing
  PacketPtr packet = Packet::create(sizeof(MldReport2));
  if (!packet) return;
  IpAddress to = group.group;
  if (version == 2) {
    auto& r = header_at<MldReport2>(packet->put(sizeof(MldReport2)));
    r = {};
    r.type = icmp6_type::mld2_report;
    r.records = 1;
    r.kind = static_cast<uint8_t>(!group.change ? Kind::is_exclude
                                  : leaves      ? Kind::to_include
                                                : Kind::to_exclude);
    group.group.put_v6(r.group);
    to = kReports6;
  } else {
    auto& r = header_at<MldHeader>(packet->put(sizeof(MldHeader)));
    r = {};
    r.type = leaves ? icmp6_type::mld_done : icmp6_type::mld_report;
    group.group.put_v6(r.group);
    if (leaves) to = kAllRouters;
  }
  send_link_icmp6(link_, from, to, 1, true, std::move(packet));
}

// ---- what we hear ----

void MulticastReports::queried_locked(const IpAddress& group, bool v6, uint64_t within_ns, uint64_t now) {
  for (Group& g : groups_) {
    if (g.group.is_v4() == v6 || g.gone || (!group.is_any() && g.group != group)) continue;
    g.at_ns = std::min(g.at_ns, now + kLeastDelay + some_of(within_ns));
  }
  arm_locked();
}

// Versions 1 and 2: one of a group is enough.
void MulticastReports::heard_report(const IpAddress& group) {
  LockGuard guard(lock_);
  const uint64_t now = monotonic_ns();
  const bool v6 = !group.is_v4();
  if (version_locked(v6, now) == (v6 ? 2 : 3)) return;
  for (Group& g : groups_) {
    if (g.group != group || g.gone) continue;
    g.at_ns = kNever;
    g.reporter = g.change = false;
    g.times = 0;
  }
}

void MulticastReports::igmp_received(Packet& packet) {
  const std::span<std::byte> bytes = packet.header(packet.size());
  if (bytes.size() < sizeof(IgmpHeader) || checksum_of(bytes) != 0) return;
  const auto igmp = header_at<IgmpHeader>(bytes.data());
  const IpAddress group = IpAddress::from_v4(igmp.group);
  if (igmp.type == igmp_type::report1 || igmp.type == igmp_type::report2) return heard_report(group);
  if (igmp.type != igmp_type::query || (!group.is_any() && !group.is_multicast())) return;
  constexpr uint64_t kTenth = 100 * kMs;
  LockGuard guard(lock_);
  const uint64_t now = monotonic_ns();
  if (bytes.size() == sizeof(IgmpHeader)) {
    older_until_[igmp.code == 0 ? 0 : 1] = now + kOlderRouter;
    const uint64_t within = (igmp.code == 0 ? 100 : igmp.code) * kTenth;
    return queried_locked(igmp.code == 0 ? kAnyV4 : group, false, within, now);
  }
  if (bytes.size() < kQuery3) return;
  queried_locked(group, false, from_code8(igmp.code) * kTenth, now);
}

void MulticastReports::mld_received(Packet& packet) {
  const PacketInfo& info = packet.info;
  const std::span<std::byte> bytes = packet.header(packet.size());
  // RFC 3810, 6.2: from the link, and nowhere else.
  if (bytes.size() < sizeof(MldHeader) || info.ttl != 1 || !info.source.is_link_local()) return;
  const auto mld = header_at<MldHeader>(bytes.data());
  const IpAddress group = IpAddress::from_v6(mld.group);
  if (mld.type == icmp6_type::mld_report) return heard_report(group);
  if (mld.type != icmp6_type::mld_query || (!group.is_any() && !group.is_multicast())) return;
  LockGuard guard(lock_);
  const uint64_t now = monotonic_ns();
  if (bytes.size() == sizeof(MldHeader)) {
    older_until_[2] = now + kOlderRouter;
    return queried_locked(group, true, mld.delay_ms * kMs, now);
  }
  if (bytes.size() < kQuery6) return;
  queried_locked(group, true, from_code16(mld.delay_ms) * kMs, now);
}

Result<void> MulticastReports::list(bool v6, Vec<Facts>& out) const {
  LockGuard guard(lock_);
  const uint64_t now = monotonic_ns();
  for (const Group& g : groups_) {
    if (g.group.is_v4() == v6 || g.gone) continue;
    const bool running = g.at_ns != kNever;
    TRY(out.push_back({g.group, running, g.reporter, running && g.at_ns > now ? g.at_ns - now : 0}));
  }
  return {};
}

void igmp_receive(Stack& stack, PacketPtr packet) {
  Ref<Interface> from = stack.config.interface(packet->info.interface);
  if (from && from->neighbours()) from->neighbours()->link().reports().igmp_received(*packet);
}

void mld_receive(Stack& stack, Packet& packet) {
  Ref<Interface> from = stack.config.interface(packet.info.interface);
  if (from && from->neighbours()) from->neighbours()->link().reports().mld_received(packet);
}

}  // namespace runsc::net
