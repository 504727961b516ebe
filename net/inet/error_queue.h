// ErrorQueue: what a socket has been told of its packets (IP_RECVERR of ip(7), IPV6_RECVERR of ipv6(7)).
#pragma once

#include <boost/intrusive/list.hpp>

#include "net/packet.h"

namespace runsc::net {

// struct sock_extended_err
struct ExtendedError {
  uint32_t error;
  uint8_t origin, type, code, pad;
  uint32_t info, data;
};
static_assert(sizeof(ExtendedError) == 16);

namespace error_origin {
inline constexpr uint8_t none = 0, local = 1, icmp = 2, icmp6 = 3;
}

struct ErrorRecord final : HeapObject, boost::intrusive::list_base_hook<> {
  ExtendedError error{};
  SocketAddress to;    // whom the packet was for
  IpAddress offender;  // any: nobody
  uint32_t interface = 0;
  PacketInfo about;     // of the ICMP message that told it
  PacketPtr payload;    // what the application had sent, as far as it was quoted; null: nothing
  uint32_t charge = 0;  // what it counts for in the receive buffer
};

class ErrorQueue {
 public:
  static constexpr size_t kMost = 256;
  ~ErrorQueue() { (void)clear(); }
  // False, and it stays: there are kMost.
  bool push(Unique<ErrorRecord>& record);
  // The oldest. `next`: the error of the one behind it; 0: none.
  Unique<ErrorRecord> pop(uint32_t& next);
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  uint32_t clear();  // what they counted for

 private:
  using List = boost::intrusive::list<ErrorRecord, boost::intrusive::constant_time_size<false>>;
  SpinLock lock_{LockRank::socket_errors};
  List list_ GUARDED_BY(lock_);
  std::atomic<uint32_t> count_{0};
};

}  // namespace runsc::net
