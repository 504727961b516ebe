// Counters of a namespace, as /proc/net/snmp and snmp6 show them (RFC 4293, 4113).
#pragma once

#include <atomic>
#include <cstdint>

namespace runsc::net {

enum class Mib : uint8_t {
  ip_in_receives,
  ip_in_header_errors,
  ip_in_address_errors,
  ip_in_unknown_protocols,
  ip_in_discards,
  ip_in_delivers,
  ip_out_requests,
  ip_out_discards,
  ip_out_no_routes,
  ip_reasm_timeout,
  ip_reasm_required,
  ip_reasm_ok,
  ip_reasm_fails,
  ip_frag_ok,
  ip_frag_fails,
  ip_frag_creates,
  icmp_in,
  icmp_in_errors,
  icmp_in_checksum,
  icmp_out,
  icmp_out_errors,
  udp_in,
  udp_no_ports,
  udp_in_errors,
  udp_out,
  udp_receive_buffer,
  udp_send_buffer,
  udp_in_checksum,
  count,
};

class Counters {
 public:
  void add(Mib what, bool v6, uint64_t n = 1) {
    values_[v6][static_cast<unsigned>(what)].fetch_add(n, std::memory_order_relaxed);
  }
  uint64_t get(Mib what, bool v6) const {
    return values_[v6][static_cast<unsigned>(what)].load(std::memory_order_relaxed);
  }

  // ICMP messages by type, in and out.
  std::atomic<uint32_t> icmp_types[2][2][256] = {};  // [v6][out][type]

 private:
  std::atomic<uint64_t> values_[2][static_cast<unsigned>(Mib::count)] = {};
};

}  // namespace runsc::net
