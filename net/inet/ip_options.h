// IpSettings: what SOL_IP (ip(7)) and SOL_IPV6 (ipv6(7)) let be set on a socket.
#pragma once

#include <atomic>
#include <cstdint>

namespace runsc::net {

inline constexpr int kSolIp = 0, kSolIpv6 = 41, kSolIcmpv6 = 58, kSolRaw = 255, kSolTcp = 6, kSolUdp = 17;

// IP_MTU_DISCOVER, IPV6_MTU_DISCOVER.
enum class PathMtu : uint8_t { dont, want, always, probe, interface, omit };

// Bits of what is on or off.
namespace ip_bit {
inline constexpr uint32_t recv_ttl = 1, recv_tos = 2, recv_opts = 4, ret_opts = 8, pktinfo = 0x10,
                          recv_err = 0x20, hdrincl = 0x40, freebind = 0x80, transparent = 0x100,
                          multicast_loop = 0x200, multicast_all = 0x400, no_check = 0x800,
                          router_alert = 0x1000, recv_origdst = 0x2000, bind_no_port = 0x4000,
                          recv_fragsize = 0x8000, recv_err_rfc4884 = 0x10000,
                          // IPv6's own
    v6only = 1u << 17, recv_pktinfo6 = 1u << 18, recv_hoplimit6 = 1u << 19, recv_tclass6 = 1u << 20,
                          recv_err6 = 1u << 21, multicast_loop6 = 1u << 22, multicast_all6 = 1u << 23,
                          recv_pathmtu6 = 1u << 24, flowinfo6 = 1u << 25, flowinfo_send6 = 1u << 26,
                          autoflow6 = 1u << 27, dont_fragment6 = 1u << 28, recv_rthdr6 = 1u << 29,
                          recv_hopopts6 = 1u << 30, recv_dstopts6 = 1u << 31;
}

// Read without a lock by those who send and receive: each value stands for itself.
struct IpSettings {
  std::atomic<uint32_t> bits{ip_bit::multicast_loop | ip_bit::multicast_all | ip_bit::multicast_loop6 |
                             ip_bit::multicast_all6};
  std::atomic<int16_t> ttl{-1}, hop_limit{-1};  // -1: the namespace's default
  std::atomic<int16_t> multicast_ttl{1}, multicast_hops{-1};
  std::atomic<uint8_t> tos{0}, traffic_class{0};
  std::atomic<PathMtu> path_mtu{PathMtu::want}, path_mtu6{PathMtu::want};
  std::atomic<uint32_t> multicast_interface{0}, multicast_interface6{0};
  std::atomic<uint32_t> multicast_address{0};  // IP_MULTICAST_IF by address, host order
  std::atomic<uint32_t> unicast_interface{0}, unicast_interface6{0};
  std::atomic<uint32_t> mtu6{0};  // IPV6_MTU
  std::atomic<uint8_t> min_ttl{0}, min_hops{0};

  bool has(uint32_t bit) const { return bits.load(std::memory_order_relaxed) & bit; }
  void set(uint32_t bit, bool on) {
    if (on)
      bits.fetch_or(bit, std::memory_order_relaxed);
    else
      bits.fetch_and(~bit, std::memory_order_relaxed);
  }
};

}  // namespace runsc::net
