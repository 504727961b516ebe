#include "net/tcp/isn.h"

#include <array>
#include <bit>

#include "kernel/base/lock.h"
#include "net/services.h"

namespace runsc::net::tcp {

namespace {

constexpr uint64_t kCookieTick = 60'000'000;  // microseconds
constexpr uint32_t kCookieAge = 2;            // ticks
constexpr uint16_t kMssOf[] = {536, 1220, 1300, 1440, 1460, 4312, 8960, 65483};
constexpr uint32_t kShiftMask = 0xf, kNoShift = 0xf, kSackBit = 0x10, kLowBits = 0x1f;

constinit SpinLock g_lock{LockRank::leaf};
constinit std::atomic<bool> g_ready{false};
constinit SipKey g_secret;

struct Words {
  uint64_t w[6];
};

Words words_of(const PortKey& key, uint64_t extra) {
  return {{key.local.high, key.local.low, key.remote.high, key.remote.low,
           uint64_t{key.port} << 16 | key.remote_port, extra}};
}

uint32_t cookie_hash(const PortKey& key, Seq peer, uint32_t tick, uint32_t which) {
  return static_cast<uint32_t>(
      siphash(secret(), words_of(key, uint64_t{peer} << 32 | uint64_t{which} << 24 | (tick & 0xffffff)).w));
}

}  // namespace

uint64_t siphash(const SipKey& key, std::span<const uint64_t> words) {
  uint64_t v0 = key.k0 ^ 0x736f6d6570736575, v1 = key.k1 ^ 0x646f72616e646f6d,
           v2 = key.k0 ^ 0x6c7967656e657261, v3 = key.k1 ^ 0x7465646279746573;
  auto round = [&] {
    v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
    v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
    v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
  };
  auto take = [&](uint64_t m) {
    v3 ^= m;
    round(), round();
    v0 ^= m;
  };
  for (uint64_t m : words) take(m);
  take(uint64_t{words.size() * 8 & 0xff} << 56);
  v2 ^= 0xff;
  round(), round(), round(), round();
  return v0 ^ v1 ^ v2 ^ v3;
}

const SipKey& secret() {
  if (!g_ready.load(std::memory_order_acquire)) {
    SipKey fresh{random_u64(), random_u64()};
    LockGuard guard(g_lock);
    if (!g_ready.load(std::memory_order_relaxed)) {
      g_secret = fresh;
      g_ready.store(true, std::memory_order_release);
    }
  }
  return g_secret;
}

Seq initial_sequence(const PortKey& key, uint64_t now_us) {
  // A clock of 4 microseconds, and a place on the circle for each pair of addresses.
  return static_cast<Seq>(siphash(secret(), words_of(key, 1).w)) + static_cast<Seq>(now_us / 4);
}

uint32_t timestamp_offset(const PortKey& key) {
  // By the addresses alone, so that timestamps of one pair of hosts grow from connection to connection.
  PortKey hosts = key;
  hosts.port = hosts.remote_port = 0;
  return static_cast<uint32_t>(siphash(secret(), words_of(hosts, 2).w));
}

Cookie make_cookie(const PortKey& key, Seq peer, uint16_t mss, uint64_t now_us) {
  uint32_t index = std::size(kMssOf) - 1;
  while (index > 0 && kMssOf[index] > mss) --index;
  const auto tick = static_cast<uint32_t>(now_us / kCookieTick);
  const uint32_t low = (cookie_hash(key, peer, tick, 4) + index) & 0xffffff;
  const Seq sequence = cookie_hash(key, peer, 0, 3) + peer + (tick << 24) + low;
  return {sequence, kMssOf[index]};
}

uint16_t check_cookie(const PortKey& key, Seq peer, Seq cookie, uint64_t now_us) {
  const uint32_t rest = cookie - cookie_hash(key, peer, 0, 3) - peer;
  const auto now = static_cast<uint32_t>(now_us / kCookieTick);
  const uint32_t age = (now - (rest >> 24)) & 0xff;
  if (age >= kCookieAge) return 0;
  const uint32_t index = ((rest & 0xffffff) - cookie_hash(key, peer, now - age, 4)) & 0xffffff;
  return index < std::size(kMssOf) ? kMssOf[index] : 0;
}

uint32_t cookie_timestamp(uint32_t timestamp, bool has_shift, uint8_t shift, bool sack) {
  const uint32_t bits = (has_shift ? shift & kShiftMask : kNoShift) | (sack ? kSackBit : 0);
  uint32_t value = (timestamp & ~kLowBits) | bits;
  if (distance(timestamp, value) > 0) value -= kLowBits + 1;  // never of the future
  return value;
}

void read_cookie_timestamp(uint32_t echo, Options& out) {
  const uint32_t shift = echo & kShiftMask;
  out.has_shift = shift != kNoShift;
  out.shift = static_cast<uint8_t>(out.has_shift ? shift : 0);
  if (out.shift > kMaxWindowShift) out.shift = kMaxWindowShift;
  out.sack_permitted = echo & kSackBit;
}

}  // namespace runsc::net::tcp
