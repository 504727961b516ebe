// SOL_SOCKET of setsockopt(2) and getsockopt(2): socket(7).
#include <algorithm>

#include "fs/user_namespace.h"
#include "net/capable.h"
#include "net/endpoint.h"
#include "net/socket_filter.h"

namespace runsc::net {

namespace {

using fs::Cap;

enum Option : int {
  kDebug = 1,
  kReuseAddr = 2,
  kType = 3,
  kError = 4,
  kDontRoute = 5,
  kBroadcast = 6,
  kSndBuf = 7,
  kRcvBuf = 8,
  kKeepAlive = 9,
  kOobInline = 10,
  kNoCheck = 11,
  kPriority = 12,
  kLinger = 13,
  kBsdCompat = 14,
  kReusePort = 15,
  kPassCred = 16,
  kPeerCred = 17,
  kRcvLowat = 18,
  kSndLowat = 19,
  kRcvTimeo = 20,
  kSndTimeo = 21,
  kBindToDevice = 25,
  kAttachFilter = 26,
  kDetachFilter = 27,
  kPeerName = 28,
  kTimestamp = 29,
  kAcceptConn = 30,
  kSndBufForce = 32,
  kRcvBufForce = 33,
  kPassSec = 34,
  kTimestampNs = 35,
  kMark = 36,
  kProtocol = 38,
  kDomain = 39,
  kRxqOvfl = 40,
  kWifiStatus = 41,
  kPeekOff = 42,
  kNoFcs = 43,
  kLockFilter = 44,
  kSelectErrQueue = 45,
  kBusyPoll = 46,
  kMaxPacingRate = 47,
  kBpfExtensions = 48,
  kIncomingCpu = 49,
  kCookie = 57,
  kPeerGroups = 59,
  kTimestampNew = 63,
  kTimestampNsNew = 64,
  kRcvTimeoNew = 66,
  kSndTimeoNew = 67,
  kNetnsCookie = 71,
  kRcvMark = 75,
};

struct BitOption {
  int name;
  uint32_t bit;
};
// On or off, for anybody, with no further meaning here.
constexpr BitOption kBits[] = {
    {kReuseAddr, option_bit::reuseaddr},
    {kDontRoute, option_bit::dontroute},
    {kBroadcast, option_bit::broadcast},
    {kKeepAlive, option_bit::keepalive},
    {kOobInline, option_bit::oobinline},
    {kNoCheck, option_bit::no_check},
    {kReusePort, option_bit::reuseport},
    {kPassCred, option_bit::passcred},
    {kPassSec, option_bit::passsec},
    {kRxqOvfl, option_bit::rxq_ovfl},
    {kWifiStatus, option_bit::wifi_status},
    {kNoFcs, option_bit::nofcs},
    {kSelectErrQueue, option_bit::select_err_queue},
    {kRcvMark, option_bit::rcvmark},
};

constexpr uint32_t kStamps = option_bit::timestamp | option_bit::timestampns | option_bit::timestamp_new;

struct StampOption {
  int name;
  uint32_t bits;
};
constexpr StampOption kStampOptions[] = {
    {kTimestamp, option_bit::timestamp},
    {kTimestampNs, option_bit::timestamp | option_bit::timestampns},
    {kTimestampNew, option_bit::timestamp | option_bit::timestamp_new},
    {kTimestampNsNew, option_bit::timestamp | option_bit::timestampns | option_bit::timestamp_new},
};

struct LingerValue {
  int32_t on, seconds;
};
struct Timeval {
  int64_t sec, usec;
};
constexpr int64_t kUsecPerSec = 1'000'000;

// As much of the value as the caller has room for.
Result<uint32_t> give(const Caller& caller, uint64_t address, uint32_t size, const void* value, size_t n) {
  uint32_t out = std::min<uint32_t>(size, static_cast<uint32_t>(n));
  TRY(mm::copy_out_bytes(caller.space, address, value, out));
  return out;
}

Timeval timeval_of(uint64_t ns) {
  if (ns == kForever) return {0, 0};
  return {static_cast<int64_t>(ns / 1'000'000'000), static_cast<int64_t>(ns % 1'000'000'000 / 1000)};
}

Result<void> need(const Caller& caller, Cap cap, Errno otherwise) {
  if (caller.creds.has(cap)) return {};
  return otherwise;
}

Result<uint32_t> give_groups(const Caller& caller, Endpoint& endpoint, uint64_t address, uint32_t size) {
  Ref<const fs::Credentials> peer = endpoint.peer_groups();
  if (!peer) return Errno::nodata;
  auto bytes = static_cast<uint32_t>(peer->groups.size() * sizeof(uint32_t));
  if (size < bytes) return bytes;  // more than there is room for: ERANGE
  for (size_t i = 0; i < peer->groups.size(); ++i)
    TRY(mm::copy_out(caller.space, mm::UserPtr<uint32_t>(address + i * sizeof(uint32_t)),
                     fs::shown_gid(caller.creds, peer->groups[i])));
  return bytes;
}

}  // namespace

// Asked for as the application counts, kept as the kernel counts (socket(7), SO_SNDBUF).
Result<void> Endpoint::set_buffer(const Caller& caller, int name, int32_t value) {
  bool force = name == kSndBufForce || name == kRcvBufForce;
  if (force) TRY(need(caller, Cap::net_admin, Errno::perm));
  uint32_t wanted;
  if (force)
    wanted = value < 0 ? 0 : static_cast<uint32_t>(value);
  else
    wanted = std::min(static_cast<uint32_t>(value), kBufferMax);
  wanted = std::min<uint32_t>(wanted, 0x7fffffff / 2) * 2;
  if (name == kSndBuf || name == kSndBufForce) {
    options.send_buffer.store(std::max(wanted, kSendBufferMin), std::memory_order_relaxed);
    send_room_changed();
  } else {
    options.receive_buffer.store(std::max(wanted, kReceiveBufferMin), std::memory_order_relaxed);
  }
  return {};
}

Result<void> Endpoint::set_timeout(const Caller& caller, int name, uint64_t address, uint32_t size) {
  if (size < sizeof(Timeval)) return Errno::inval;
  Timeval t = TRY(mm::copy_in(caller.space, mm::UserPtr<Timeval>(address)));
  if (t.usec < 0 || t.usec >= kUsecPerSec) return Errno::dom;
  constexpr int64_t kLongest = int64_t{1} << 33;  // seconds; more is for ever
  uint64_t ns = kForever;
  if (t.sec < 0)
    ns = 0;
  else if ((t.sec > 0 || t.usec > 0) && t.sec < kLongest)
    ns = static_cast<uint64_t>(t.sec) * 1'000'000'000 + static_cast<uint64_t>(t.usec) * 1000;
  bool receive = name == kRcvTimeo || name == kRcvTimeoNew;
  (receive ? options.receive_timeout_ns : options.send_timeout_ns).store(ns, std::memory_order_relaxed);
  return {};
}

namespace {

// The options that are on or off: false if `name` is none.
bool set_switch(Options& options, int name, bool on) {
  for (const BitOption& o : kBits)
    if (o.name == name) return options.set(o.bit, on), true;
  for (const StampOption& o : kStampOptions) {
    if (o.name != name) continue;
    options.set(kStamps, false);
    if (on) options.set(o.bits, true);
    return true;
  }
  return false;
}

Result<void> set_linger(const Caller& caller, Options& options, uint64_t address, uint32_t size) {
  if (size < sizeof(LingerValue)) return Errno::inval;
  LingerValue linger = TRY(mm::copy_in(caller.space, mm::UserPtr<LingerValue>(address)));
  options.set(option_bit::linger, linger.on != 0);
  if (linger.on) options.linger_seconds.store(linger.seconds, std::memory_order_relaxed);
  return {};
}

}  // namespace

Result<void> Endpoint::set_socket_option(const Caller& caller, int name, uint64_t address, uint32_t size) {
  if (name == kBindToDevice) {
    if (size == 0) return {};
    char first = TRY(mm::copy_in(caller.space, mm::UserPtr<char>(address)));
    return first == 0 ? Result<void>() : Errno::nodev;
  }
  if (size < sizeof(int32_t)) return Errno::inval;
  if (name == kAttachFilter) return attach_filter(caller, address, size);
  const int32_t value = TRY(mm::copy_in(caller.space, mm::UserPtr<int32_t>(address)));
  if (set_switch(options, name, value != 0)) return {};
  constexpr auto kRelaxed = std::memory_order_relaxed;
  switch (name) {
    case kDebug:
      if (value) TRY(need(caller, Cap::net_admin, Errno::acces));
      return options.set(option_bit::debug, value != 0), Result<void>();
    case kSndBuf:
    case kRcvBuf:
    case kSndBufForce:
    case kRcvBufForce:
      return set_buffer(caller, name, value);
    case kPriority:
      if ((value < 0 || value > 6) && !is_capable(caller.creds, net(), Cap::net_raw) &&
          !is_capable(caller.creds, net(), Cap::net_admin))
        return Errno::perm;
      return options.priority.store(value, kRelaxed), Result<void>();
    case kLinger:
      return set_linger(caller, options, address, size);
    case kBsdCompat:
      return {};
    case kRcvLowat:
      return options.receive_low.store(value < 0 ? 0x7fffffff : value ? value : 1, kRelaxed), Result<void>();
    case kRcvTimeo:
    case kSndTimeo:
    case kRcvTimeoNew:
    case kSndTimeoNew:
      return set_timeout(caller, name, address, size);
    case kMark:
      if (!is_capable(caller.creds, net(), Cap::net_raw) && !is_capable(caller.creds, net(), Cap::net_admin))
        return Errno::perm;
      return options.mark.store(static_cast<uint32_t>(value), kRelaxed), Result<void>();
    case kIncomingCpu:
      return options.incoming_cpu.store(value, kRelaxed), Result<void>();
    case kMaxPacingRate:
      options.max_pacing_rate.store(value == -1 ? ~uint64_t{0} : static_cast<uint32_t>(value), kRelaxed);
      return {};
    case kBusyPoll:
      if (value < 0) return Errno::inval;
      return value > 0 ? need(caller, Cap::net_admin, Errno::perm) : Result<void>();
    case kPeekOff:
      return Errno::opnotsupp;
    case kLockFilter:
      if (options.has(option_bit::lock_filter) && !value) return Errno::perm;
      return options.set(option_bit::lock_filter, value != 0), Result<void>();
    case kDetachFilter:
      return set_filter({});
    default:
      return Errno::noprotoopt;
  }
}

// The options that are an int.
Result<int32_t> Endpoint::number_option(int name) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  for (const BitOption& o : kBits)
    if (o.name == name) return int32_t{options.has(o.bit)};
  for (const StampOption& o : kStampOptions)
    if (o.name == name) return int32_t{(options.bits.load(kRelaxed) & kStamps) == o.bits};
  switch (name) {
    case kDebug:
      return int32_t{options.has(option_bit::debug)};
    case kType:
      return type();
    case kError:
      return take_error();
    case kSndBuf:
      return static_cast<int32_t>(options.send_buffer.load(kRelaxed));
    case kRcvBuf:
      return static_cast<int32_t>(options.receive_buffer.load(kRelaxed));
    case kPriority:
      return options.priority.load(kRelaxed);
    case kBsdCompat:
    case kBusyPoll:
      return 0;
    case kRcvLowat:
      return options.receive_low.load(kRelaxed);
    case kSndLowat:
      return 1;
    case kAcceptConn:
      return int32_t{listening()};
    case kMark:
      return static_cast<int32_t>(options.mark.load(kRelaxed));
    case kProtocol:
      return protocol();
    case kDomain:
      return domain();
    case kPeekOff:
      return Errno::opnotsupp;
    case kLockFilter:
      return int32_t{options.has(option_bit::lock_filter)};
    case kBpfExtensions:
      return 64;
    case kIncomingCpu:
      return options.incoming_cpu.load(kRelaxed);
    default:
      return Errno::noprotoopt;
  }
}

Result<uint32_t> Endpoint::get_socket_option(const Caller& caller, int name, uint64_t address,
                                             uint32_t size) {
  switch (name) {
    case kLinger: {
      LingerValue v{options.has(option_bit::linger), options.linger_seconds.load(std::memory_order_relaxed)};
      return give(caller, address, size, &v, sizeof v);
    }
    case kRcvTimeo:
    case kRcvTimeoNew:
    case kSndTimeo:
    case kSndTimeoNew: {
      bool receive = name == kRcvTimeo || name == kRcvTimeoNew;
      Timeval v = timeval_of(
          (receive ? options.receive_timeout_ns : options.send_timeout_ns).load(std::memory_order_relaxed));
      return give(caller, address, size, &v, sizeof v);
    }
    case kPeerCred: {
      PeerCredentials v = peer_credentials();
      v.pid = caller.number_of(v.pid);
      if (v.uid != ~0u) v.uid = fs::shown_uid(caller.creds, v.uid);
      if (v.gid != ~0u) v.gid = fs::shown_gid(caller.creds, v.gid);
      return give(caller, address, size, &v, sizeof v);
    }
    case kPeerGroups:
      return give_groups(caller, *this, address, size);
    case kPeerName: {
      Address peer;
      if (!this->name(peer, true)) return Errno::notconn;
      if (peer.size < size) return Errno::inval;
      return give(caller, address, size, peer.bytes, peer.size);
    }
    case kBindToDevice:
      return uint32_t{0};
    case kAttachFilter:  // SO_GET_FILTER
      return give_filter(caller, address, size);
    case kMaxPacingRate: {
      uint64_t v = options.max_pacing_rate.load(std::memory_order_relaxed);
      uint32_t low = v > 0xffffffff ? 0xffffffff : static_cast<uint32_t>(v);
      if (size >= sizeof v) return give(caller, address, size, &v, sizeof v);
      return give(caller, address, size, &low, sizeof low);
    }
    case kCookie:
    case kNetnsCookie: {
      uint64_t v = name == kCookie ? cookie() : net().cookie();
      if (size < sizeof v) return Errno::inval;
      return give(caller, address, size, &v, sizeof v);
    }
    default: {
      int32_t v = TRY(number_option(name));
      return give(caller, address, size, &v, sizeof v);
    }
  }
}

}  // namespace runsc::net
