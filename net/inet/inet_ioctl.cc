// ioctl(2) of Internet sockets (socket(7), netdevice(7)).
#include "net/inet/device_ioctl.h"
#include "net/inet/inet_endpoint.h"

namespace runsc::net {

namespace {
constexpr uint32_t kGetStamp = 0x8906, kGetStampNs = 0x8907;
constexpr int64_t kPerSecond = 1'000'000'000;
}  // namespace

Result<uint64_t> InetEndpoint::ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) {
  if (request == kGetStamp || request == kGetStampNs) {
    const int64_t ns = last_stamp_ns_.load(std::memory_order_relaxed);
    if (ns == 0) return Errno::noent;
    struct {
      int64_t sec, part;
    } stamp{ns / kPerSecond, request == kGetStamp ? ns % kPerSecond / 1000 : ns % kPerSecond};
    TRY(mm::copy_out_bytes(context.space, argument, &stamp, sizeof stamp));
    return uint64_t{0};
  }
  if (!v6() && request >= arp_request::remove && request <= arp_request::set)
    return arp_ioctl(net(), request, argument, context);
  return device_ioctl(net(), !v6(), request, argument, context);
}

}  // namespace runsc::net
