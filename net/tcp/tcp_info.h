// struct tcp_info (TCP_INFO of tcp(7); include/uapi/linux/tcp.h of Linux 6.1), and names of algorithms.
#pragma once

#include "net/tcp/congestion.h"

#include <string_view>

#include "kernel/base/result.h"

namespace runsc::net {

struct TcpInfo {
  uint8_t state, ca_state, retransmits, probes, backoff, options;
  uint8_t shifts;  // of the window: send in the low half, receive in the high
  uint8_t application_limited;
  uint32_t rto, ato, send_mss, receive_mss;
  uint32_t unacked, sacked, lost, resent, fackets;
  uint32_t last_data_sent, last_ack_sent, last_data_received, last_ack_received;  // ms ago
  uint32_t path_mtu, receive_threshold, rtt, rtt_variation, send_threshold, send_window, advertised_mss,
      reordering;
  uint32_t receive_rtt, receive_space;
  uint32_t total_resent;
  uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
  uint32_t segments_out, segments_in;
  uint32_t not_sent, least_rtt, data_segments_in, data_segments_out;
  uint64_t delivery_rate, busy_time, receive_limited, send_limited;
  uint32_t delivered, delivered_ce;
  uint64_t bytes_sent, bytes_resent;
  uint32_t dsack_duplicates, reordering_seen;
  uint32_t out_of_order, peer_window;
};
static_assert(sizeof(TcpInfo) == 232);

std::string_view tcp_algorithm_name(tcp::Algorithm algorithm);
// ENOENT.
Result<tcp::Algorithm> tcp_algorithm(std::string_view name);

}  // namespace runsc::net
