// Backlog: packets on their way up that nobody has looked at yet, in lanes by flow: each lane keeps its order
// and is worked on by one CPU at a time.
#pragma once

#include "kvm/arch/paid_by.h"
#include "net/packet.h"

namespace runsc::net {

class Backlog {
 public:
  // False: too many wait; the packet is dropped.
  bool push(PacketPtr packet, uint64_t flow);
  bool empty() const { return pending_.load(std::memory_order_acquire) == 0; }

  // Gives packets to `deliver` until none wait, but no more than `budget`. When it returns true, all that had
  // been pushed before has been delivered, by whomever. `deliver` may push, and must not drain.
  template <class F>
  bool drain(size_t budget, F&& deliver) {
    while (!empty()) {
      for (Lane& lane : lanes_) {
        if (lane.pending.load(std::memory_order_acquire) == 0) continue;
        LockGuard working(lane.work);
        while (PacketPtr packet = lane.pop()) {
          {
            PaidBy payer(packet->payer());
            deliver(std::move(packet));
          }
          lane.pending.fetch_sub(1, std::memory_order_release);
          pending_.fetch_sub(1, std::memory_order_release);
          if (--budget == 0) return false;
        }
      }
    }
    return true;
  }

 private:
  static constexpr unsigned kLanes = 8;
  static constexpr size_t kMost = 2048;  // in one lane
  struct Lane {
    PacketPtr pop();
    SpinLock work{LockRank::net_lane};
    SpinLock lock{LockRank::net_queue};
    PacketQueue queue GUARDED_BY(lock);
    std::atomic<uint32_t> pending{0};  // until they have been delivered
  };
  Lane lanes_[kLanes];
  std::atomic<uint32_t> pending_{0};
};

}  // namespace runsc::net
