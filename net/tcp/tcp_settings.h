// TcpSettings: /proc/sys/net/ipv4/tcp_* of a network namespace, as far as they act (tcp(7)).
#pragma once

#include <atomic>
#include <cstdint>

namespace runsc::net {

struct TcpSettings {
  // Bytes: least, default, most.
  std::atomic<uint32_t> receive_memory[3] = {4096, 131072, 6291456};  // tcp_rmem
  std::atomic<uint32_t> send_memory[3] = {4096, 16384, 4194304};      // tcp_wmem
  std::atomic<uint32_t> syn_retries{6}, synack_retries{5}, retries2{15}, orphan_retries{0};
  std::atomic<uint32_t> keepalive_time{7200}, keepalive_interval{75}, keepalive_probes{9};  // seconds
  std::atomic<uint32_t> fin_timeout{60};
  std::atomic<uint32_t> timestamps{1}, sack{1}, window_scaling{1}, moderate_receive{1};
  std::atomic<uint32_t> syncookies{1}, tw_reuse{2}, rfc1337{0}, max_tw_buckets{131072}, max_syn_backlog{1024};
  std::atomic<uint32_t> somaxconn{4096};  // net.core.somaxconn
  std::atomic<uint32_t> congestion{0};    // tcp::Algorithm
  // Connections in TIME_WAIT now.
  std::atomic<uint32_t> time_waiting{0};
};

}  // namespace runsc::net
