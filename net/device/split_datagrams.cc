#include "net/device/split_datagrams.h"

#include <algorithm>

#include "net/inet/wire.h"

namespace runsc::net {

bool split_datagrams(const Packet& frame, uint32_t transport, PacketQueue& out) {
  constexpr uint32_t kEthernet = 14, kTypeAt = 12, kV4Header = 20, kV6Header = 40, kUdp = 8;
  const uint32_t headers = transport + kUdp;
  // What is cut off each time is told by the frame's maker, not by its headers.
  const uint32_t step = frame.info.segment_size;
  if (frame.linear_size() < headers || step == 0) return false;
  // As many as Linux makes one of (UDP_MAX_SEGMENTS): who sends more wants to fill our memory.
  constexpr size_t kMostSegments = 128;
  if ((frame.size() - headers + step - 1) / step > kMostSegments) return false;
  const uint16_t ether = header_at<Be16>(frame.data() + kTypeAt);
  const bool v4 = ether == ether_type::ipv4;
  if ((!v4 && ether != ether_type::ipv6) || transport < kEthernet + (v4 ? kV4Header : kV6Header))
    return false;
  for (size_t at = headers; at < frame.size(); at += step) {
    const auto size = static_cast<uint32_t>(std::min<size_t>(step, frame.size() - at));
    PacketPtr part = Packet::create(Packet::kHeaderRoom + headers);
    if (!part) return true;
    __builtin_memcpy(part->put(headers), frame.data(), headers);
    if (!part->append(frame, at, size)) return true;
    std::byte* ip = part->data() + kEthernet;
    if (v4) {
      constexpr uint32_t kLengthAt = 2, kSumAt = 10;
      header_at<Be16>(ip + kLengthAt) = static_cast<uint16_t>(headers - kEthernet + size);
      __builtin_memset(ip + kSumAt, 0, sizeof(uint16_t));
      const uint16_t sum = checksum_of({ip, transport - kEthernet});
      __builtin_memcpy(ip + kSumAt, &sum, sizeof sum);
    } else {
      constexpr uint32_t kLengthAt = 4;
      header_at<Be16>(ip + kLengthAt) = static_cast<uint16_t>(headers - kEthernet - kV6Header + size);
    }
    constexpr uint32_t kUdpLengthAt = 4;
    header_at<Be16>(part->data() + transport + kUdpLengthAt) = static_cast<uint16_t>(kUdp + size);
    // The sum of the whole, of which this is a part, was never made or was right.
    part->info.checksum = ChecksumState::verified;
    out.push_back(std::move(part));
  }
  return true;
}

}  // namespace runsc::net
