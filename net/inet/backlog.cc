#include "net/inet/backlog.h"

namespace runsc::net {

bool Backlog::push(PacketPtr packet, uint64_t flow) {
  Lane& lane = lanes_[flow % kLanes];
  LockGuard guard(lane.lock);
  if (lane.queue.count() >= kMost) return false;
  lane.pending.fetch_add(1, std::memory_order_relaxed);
  pending_.fetch_add(1, std::memory_order_relaxed);
  lane.queue.push_back(std::move(packet));
  return true;
}

PacketPtr Backlog::Lane::pop() {
  LockGuard guard(lock);
  return queue.pop_front();
}

}  // namespace runsc::net
