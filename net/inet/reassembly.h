// Reassembly: fragments of datagrams that have not all come yet (RFC 791 3.2, RFC 8200 4.5). Overlaps end a
// datagram (RFC 5722). Bounded in memory, number and time.
#pragma once

#include <boost/intrusive/list.hpp>

#include "kernel/base/vec.h"
#include "net/packet.h"

namespace runsc::net {

struct FragmentKey {
  IpAddress source, destination;
  uint32_t id = 0, interface = 0;
  uint8_t protocol = 0;
  friend bool operator==(const FragmentKey&, const FragmentKey&) = default;
};

// Where a fragment belongs, in bytes of the datagram's payload.
struct FragmentPlace {
  uint32_t offset;
  uint32_t header;  // bytes of the packet in front of its part of the payload
  bool more;
};

class Reassembly {
 public:
  static constexpr size_t kMemoryMax = 4 << 20, kPayloadMax = 65535;
  static constexpr uint64_t kLife4 = uint64_t{30} * 1'000'000'000, kLife6 = uint64_t{60} * 1'000'000'000;
  ~Reassembly();

  enum class Verdict : uint8_t { waits, complete, dropped };
  struct Outcome {
    Verdict verdict;
    // complete: the first fragment's headers, then the whole payload; what is known of it is what was known
    // of that fragment.
    PacketPtr packet;
    uint32_t header = 0;  // bytes of those headers, which need not be as many as the last one's to come
  };
  // `packet` starts at its network header. The caller has checked that it is as long as it says.
  Outcome add(const FragmentKey& key, const FragmentPlace& place, PacketPtr packet, uint64_t now_ns);
  // Datagrams whose time is over: those whose first fragment came (they are to be told of) go to `out`.
  void expire(uint64_t now_ns, PacketQueue& out, uint32_t& count);
  // When the next one's time is over; ~0: none waits.
  uint64_t next_deadline() const;
  size_t memory() const;
  uint32_t count() const;

 private:
  struct Fragment {
    PacketPtr packet;
    FragmentPlace place{};
    uint32_t size = 0;  // of the payload's part
  };
  struct Datagram final : HeapObject, boost::intrusive::list_base_hook<> {
    FragmentKey key;
    Vec<Fragment> fragments;  // by offset
    size_t memory = 0;
    uint32_t have = 0, total = 0;  // bytes; total 0: the last one has not come
    uint64_t deadline = 0;
  };
  using List = boost::intrusive::list<Datagram, boost::intrusive::constant_time_size<true>>;
  static constexpr size_t kFragmentsMax = 1024, kDatagramsMax = 1024;

  Datagram* find_locked(const FragmentKey& key) REQUIRES(lock_);
  void drop_locked(Datagram& datagram) REQUIRES(lock_);
  bool insert_locked(Datagram& datagram, Fragment&& fragment, bool& duplicate) REQUIRES(lock_);
  static bool append_copied(Packet& to, const Datagram& datagram);
  static PacketPtr assemble(Datagram& datagram);

  mutable SpinLock lock_{LockRank::net_queue};
  List datagrams_ GUARDED_BY(lock_);  // oldest first
  size_t memory_ GUARDED_BY(lock_) = 0;
};

}  // namespace runsc::net
