#include "net/inet/device_ioctl.h"
#include "net/capable.h"

#include <algorithm>

#include "net/inet/stack.h"
#include "net/network_namespace.h"

namespace runsc::net {

using fs::Cap;

namespace {

enum Request : uint32_t {
  kGetName = 0x8910,
  kGetConf = 0x8912,
  kGetFlags = 0x8913,
  kSetFlags = 0x8914,
  kGetAddress = 0x8915,
  kSetAddress = 0x8916,
  kGetPeer = 0x8917,
  kGetBroadcast = 0x8919,
  kSetBroadcast = 0x891a,
  kGetMask = 0x891b,
  kSetMask = 0x891c,
  kGetMetric = 0x891d,
  kGetMtu = 0x8921,
  kSetMtu = 0x8922,
  kSetName = 0x8923,
  kGetHardware = 0x8927,
  kGetIndex = 0x8933,
  kGetQueue = 0x8942,
  kSetQueue = 0x8943,
  kGetMap = 0x8970,
};

struct InterfaceRequest {  // struct ifreq
  char name[16];
  std::byte value[24];
};
static_assert(sizeof(InterfaceRequest) == 40);

struct InterfaceConf {  // struct ifconf
  int32_t size, padding;
  uint64_t buffer;
};

template <class T>
void put_value(InterfaceRequest& r, T value) {
  __builtin_memcpy(r.value, &value, sizeof value);
}
template <class T>
T get_value(const InterfaceRequest& r) {
  T value;
  __builtin_memcpy(&value, r.value, sizeof value);
  return value;
}
void put_name(InterfaceRequest& r, std::string_view name) {
  __builtin_memset(r.name, 0, sizeof r.name);
  __builtin_memcpy(r.name, name.data(), std::min(name.size(), sizeof r.name - 1));
}
void put_inet(InterfaceRequest& r, const IpAddress& address) {
  Address out;
  SocketAddress shown;
  shown.address = address;
  put_address(shown, family_number::inet, out);
  __builtin_memset(r.value, 0, sizeof r.value);
  __builtin_memcpy(r.value, out.bytes, out.size);
}
IpAddress mask_of(unsigned prefix) { return IpAddress::v4(~0u).masked(prefix); }

Result<uint64_t> give(const fs::IoctlContext& context, uint64_t argument, const InterfaceRequest& r) {
  TRY(mm::copy_out(context.space, mm::UserPtr<InterfaceRequest>(argument), r));
  return uint64_t{0};
}

// SIOCGIFCONF: interfaces with an IPv4 address, one row for each.
Result<uint64_t> list(NetConfig& config, uint64_t argument, const fs::IoctlContext& context) {
  InterfaceConf conf = TRY(mm::copy_in(context.space, mm::UserPtr<InterfaceConf>(argument)));
  if (conf.size < 0) return Errno::inval;
  Vec<Ref<Interface>> interfaces;
  TRY(config.list_interfaces(interfaces));
  int32_t used = 0;
  constexpr int32_t kRow = sizeof(InterfaceRequest);
  for (const Ref<Interface>& i : interfaces) {
    Vec<InterfaceAddress> addresses;
    TRY(config.list_addresses(*i, addresses));
    for (const InterfaceAddress& a : addresses) {
      if (!a.address.is_v4()) continue;
      if (conf.buffer) {
        if (conf.size - used < kRow) break;
        InterfaceRequest r{};
        put_name(r, i->name());
        put_inet(r, a.address);
        TRY(mm::copy_out(context.space,
                         mm::UserPtr<InterfaceRequest>(conf.buffer + static_cast<uint64_t>(used)), r));
      }
      used += kRow;
    }
  }
  TRY(mm::copy_out(context.space, mm::UserPtr<int32_t>(argument), used));
  return uint64_t{0};
}

// Requests about the IPv4 address of an interface; ENOTTY: it is none.
Result<uint64_t> address_request(NetConfig& config, Interface& device, uint32_t request, InterfaceRequest& r,
                                 uint64_t argument, const fs::IoctlContext& context) {
  Vec<InterfaceAddress> addresses;
  TRY(config.list_addresses(device, addresses));
  const InterfaceAddress* first = nullptr;
  for (const InterfaceAddress& a : addresses)
    if (a.address.is_v4() && !first) first = &a;
  if (request != kSetAddress && !first) return Errno::addrnotavail;
  switch (request) {
    case kGetAddress:
      put_inet(r, first->address);
      return give(context, argument, r);
    case kGetPeer:
      put_inet(r, first->peer);
      return give(context, argument, r);
    case kGetBroadcast:
      put_inet(r, first->broadcast.is_any() ? kAnyV4 : first->broadcast);
      return give(context, argument, r);
    case kGetMask:
      put_inet(r, mask_of(first->prefix));
      return give(context, argument, r);
    default:
      break;
  }
  const SocketAddress wanted = TRY(parse_v4(std::span<const std::byte>(r.value).first(kSizeV4)));
  InterfaceAddress fresh = first ? *first : InterfaceAddress{};
  if (request == kSetAddress) {
    fresh.address = fresh.peer = wanted.address;
    fresh.prefix = wanted.address.v4() >> 31 == 0 ? 8 : wanted.address.v4() >> 30 == 2 ? 16 : 24;
    fresh.broadcast =
        device.is_loopback() ? kAnyV4 : IpAddress::v4(wanted.address.v4() | ~0u >> fresh.prefix);
    fresh.scope = wanted.address.is_loopback() ? scope::host : scope::universe;
  } else if (request == kSetMask) {
    const uint32_t mask = wanted.address.v4();
    if ((~mask & (~mask + 1)) != 0) return Errno::inval;
    fresh.prefix = static_cast<uint8_t>(mask ? __builtin_clz(~mask | 1) + (mask == ~0u) : 0);
  } else {
    fresh.broadcast = wanted.address;
  }
  if (first) TRY(config.remove_address(device, first->address, first->prefix));
  TRY(config.add_address(device, fresh));
  return uint64_t{0};
}

Result<uint64_t> change(NetConfig& config, Interface& device, uint32_t request, const InterfaceRequest& r) {
  switch (request) {
    case kSetFlags:
      TRY(config.set_flags(device, get_value<uint16_t>(r), 0xffff));
      return uint64_t{0};
    case kSetMtu:
      if (get_value<int32_t>(r) < 0) return Errno::inval;
      TRY(config.set_mtu(device, get_value<uint32_t>(r)));
      return uint64_t{0};
    case kSetQueue:
      if (get_value<int32_t>(r) < 0) return Errno::inval;
      config.set_queue_length(device, get_value<uint32_t>(r));
      return uint64_t{0};
    default: {
      char name[Interface::kNameMax + 2] = {};
      __builtin_memcpy(name, r.value, Interface::kNameMax + 1);
      TRY(config.rename(device, std::string_view(name, __builtin_strlen(name))));
      return uint64_t{0};
    }
  }
}

bool is_address_request(uint32_t request) { return request >= kGetAddress && request <= kSetMask; }
bool sets(uint32_t request) {
  return request == kSetFlags || request == kSetMtu || request == kSetName || request == kSetQueue ||
         request == kSetAddress || request == kSetBroadcast || request == kSetMask;
}
bool known(uint32_t request) {
  switch (request) {
    case kGetFlags:
    case kGetMetric:
    case kGetMtu:
    case kGetHardware:
    case kGetIndex:
    case kGetQueue:
    case kGetMap:
      return true;
    default:
      return is_address_request(request) || sets(request);
  }
}

}  // namespace

Result<uint64_t> device_ioctl(NetworkNamespace& net, bool addresses, uint32_t request, uint64_t argument,
                              const fs::IoctlContext& context) {
  NetConfig& config = net.inet().config;
  if (request == kGetConf) return list(config, argument, context);
  if (request != kGetName && (!known(request) || (is_address_request(request) && !addresses)))
    return Errno::notty;
  InterfaceRequest r = TRY(mm::copy_in(context.space, mm::UserPtr<InterfaceRequest>(argument)));
  r.name[sizeof r.name - 1] = 0;
  if (request == kGetName) {
    Ref<Interface> device = config.interface(get_value<uint32_t>(r));
    if (!device) return Errno::nodev;
    put_name(r, device->name());
    return give(context, argument, r);
  }
  // An alias of old is the interface itself.
  std::string_view name(r.name, __builtin_strlen(r.name));
  if (size_t colon = name.find(':'); colon != name.npos) name = name.substr(0, colon);
  if (sets(request) && !is_capable(context.creds, net, Cap::net_admin)) return Errno::perm;
  Ref<Interface> device = config.interface(name);
  if (!device) return Errno::nodev;
  if (is_address_request(request)) return address_request(config, *device, request, r, argument, context);
  if (sets(request)) return change(config, *device, request, r);
  __builtin_memset(r.value, 0, sizeof r.value);
  switch (request) {
    case kGetFlags:
      put_value(r, static_cast<uint16_t>(device->flags()));
      break;
    case kGetMtu:
      put_value(r, device->mtu());
      break;
    case kGetIndex:
      put_value(r, device->index());
      break;
    case kGetQueue:
      put_value(r, device->queue_length());
      break;
    case kGetHardware: {
      put_value(r, device->hardware_type());
      const std::span<const std::byte> hardware = device->hardware_address();
      __builtin_memcpy(r.value + sizeof(uint16_t), hardware.data(), hardware.size());
      break;
    }
    default:  // the metric and the memory map: nothing
      break;
  }
  return give(context, argument, r);
}

}  // namespace runsc::net
