#include "net/socket_filter.h"

#include <algorithm>

#include "kvm/arch/seam.h"
#include "net/inet/stack.h"
#include "net/services.h"

namespace runsc::net {

namespace {

// linux/filter.h: what is not in the bytes.
constexpr uint32_t kAncillary = static_cast<uint32_t>(-0x1000);
constexpr int32_t kNetworkFrom = -0x100000, kLinkFrom = -0x200000;
enum Ancillary : uint32_t {
  kProtocol = 0,
  kPacketType = 4,
  kInterface = 8,
  kAttribute = 12,
  kNestedAttribute = 16,
  kMark = 20,
  kQueue = 24,
  kHardware = 28,
  kHash = 32,
  kCpu = 36,
  kXor = 40,
  kVlan = 44,
  kVlanPresent = 48,
  kPayload = 52,
  kRandom = 56,
  kVlanType = 60,
};

constexpr bool is_absolute(const BpfInstruction& i) {
  return (i.code & (bpf::mode_mask | bpf::class_mask)) == (bpf::ld | bpf::abs);
}

bool load_fits(const BpfInstruction& i) {
  if (i.code == (bpf::ldx | bpf::byte | bpf::msh)) return true;
  if ((i.code & bpf::class_mask) != bpf::ld || i.code > 0xff) return false;
  const uint16_t size = i.code & bpf::size_mask, mode = i.code & bpf::mode_mask;
  if ((mode != bpf::abs && mode != bpf::ind) || size == bpf::size_mask) return false;
  return mode == bpf::ind || i.k < kAncillary || (i.k - kAncillary <= kVlanType && i.k % 4 == 0);
}

constexpr BpfRules kRules{.load_fits = load_fits, .modulo = true};

struct Attribute {  // struct nlattr
  uint16_t size, type;
};

// The place of the attribute of this type among those that stand in [at, at + left); 0: there is none.
uint32_t find_attribute(const FilterView& view, uint32_t at, uint32_t left, uint32_t type) {
  constexpr uint16_t kTypeMask = 0x3fff;
  Attribute a{};
  while (left >= sizeof a && view.read(at, std::as_writable_bytes(std::span(&a, 1))) && a.size >= sizeof a &&
         a.size <= left) {
    if ((a.type & kTypeMask) == type) return at;
    const uint32_t step = std::min<uint32_t>((a.size + 3u) & ~3u, left);
    at += step;
    left -= step;
  }
  return 0;
}

uint32_t attribute(const FilterView& view, uint32_t at, uint32_t type, bool nested) {
  Attribute a{};
  if (view.size() < sizeof a || at > view.size() - sizeof a) return 0;
  uint32_t left = view.size() - at;
  if (nested) {
    if (!view.read(at, std::as_writable_bytes(std::span(&a, 1))) || a.size < sizeof a || a.size > left)
      return 0;
    at += sizeof a;
    left = a.size - static_cast<uint32_t>(sizeof a);
  }
  return find_attribute(view, at, left, type);
}

// Where what the transport carries begins, as far as headers tell; 0: unknown.
uint32_t payload_at(const FilterView& view) {
  const int64_t network = view.network();
  std::byte first[40];
  if (network == FilterView::kNone || !view.read(network, std::span(first, 20))) return 0;
  const auto byte = [&](size_t at) { return static_cast<uint32_t>(first[at]); };
  uint32_t protocol, header;
  if (byte(0) >> 4 == 4) {
    protocol = byte(9);
    header = (byte(0) & 15) * 4;
    if (((byte(6) & 0x1f) | byte(7)) != 0)
      return static_cast<uint32_t>(network + header);  // not the first fragment
  } else if (byte(0) >> 4 == 6 && view.read(network, std::span(first, 40))) {
    protocol = byte(6);
    header = 40;
  } else {
    return 0;
  }
  const int64_t at = network + header;
  std::byte data_offset{};
  switch (protocol) {
    case ip_protocol::tcp:
      if (!view.read(at + 12, std::span(&data_offset, 1))) return static_cast<uint32_t>(at);
      return static_cast<uint32_t>(at + (static_cast<uint32_t>(data_offset) >> 4) * 4);
    case ip_protocol::udp:
    case ip_protocol::icmp:
    case ip_protocol::icmpv6:
    case ip_protocol::igmp:
      return static_cast<uint32_t>(at + 8);
    default:
      return static_cast<uint32_t>(at);
  }
}

struct Loads {
  const FilterView& view;

  uint32_t length() const { return view.size(); }

  bool load(const BpfInstruction& i, uint32_t a, uint32_t x, uint32_t& value) const {
    if (i.code == (bpf::ldx | bpf::byte | bpf::msh)) {
      if (!at(i.k, 1, value)) return false;
      value = (value & 15) * 4;
      return true;
    }
    const uint32_t size = (i.code & bpf::size_mask) == bpf::word   ? 4
                          : (i.code & bpf::size_mask) == bpf::half ? 2
                                                                   : 1;
    if (is_absolute(i) && i.k >= kAncillary) return ancillary(i.k - kAncillary, a, x, value);
    return at(is_absolute(i) ? i.k : i.k + x, size, value);
  }

  // Big endian; negative offsets count from a header.
  bool at(uint32_t k, uint32_t size, uint32_t& value) const {
    const auto offset = static_cast<int32_t>(k);
    int64_t from = offset;
    if (offset < 0) {
      const bool of_network = offset >= kNetworkFrom;
      if (!of_network && offset < kLinkFrom) return false;
      const int64_t header = of_network ? view.network() : view.link();
      if (header == FilterView::kNone) return false;
      from = header + offset - (of_network ? kNetworkFrom : kLinkFrom);
    }
    std::byte bytes[4];
    if (!view.read(from, std::span(bytes, size))) return false;
    value = 0;
    for (uint32_t n = 0; n < size; ++n) value = value << 8 | static_cast<uint32_t>(bytes[n]);
    return true;
  }

  bool ancillary(uint32_t which, uint32_t a, uint32_t x, uint32_t& value) const {
    const PacketInfo* info = view.info();
    switch (which) {
      case kProtocol:
        value = info ? info->ether : 0;
        return true;
      case kPacketType:
        value = info ? static_cast<uint32_t>(info->to) : 0;
        return true;
      case kInterface:
        value = info ? info->interface : 0;
        return value != 0;
      case kHardware:
        value = view.hardware;
        return info && info->interface != 0;
      case kAttribute:
      case kNestedAttribute:
        value = attribute(view, a, x, which == kNestedAttribute);
        return true;
      case kCpu:
        value = arch::cpu_local().id;
        return true;
      case kXor:
        value = a ^ x;
        return true;
      case kVlan:
        value = info ? info->vlan_control : 0;
        return true;
      case kVlanPresent:
        value = info && info->vlan_type != 0;
        return true;
      case kVlanType:
        value = info ? info->vlan_type : 0;
        return true;
      case kPayload:
        value = payload_at(view);
        return true;
      case kRandom:
        value = random_u32();
        return true;
      default:  // marks, queues and hashes: packets have none
        value = 0;
        return true;
    }
  }
};

}  // namespace

bool BytesView::read(int64_t offset, std::span<std::byte> out) const {
  if (offset < 0 || offset > size() || out.size() > static_cast<size_t>(size() - offset)) return false;
  __builtin_memcpy(out.data(), bytes_.data() + offset, out.size());
  return true;
}

bool PacketView::read(int64_t offset, std::span<std::byte> out) const {
  const auto n = static_cast<int64_t>(out.size()), linear = static_cast<int64_t>(packet_.linear_size());
  const int64_t place = offset + packet_.here();
  if (place < 0 || offset > size() - n) return false;
  // Headers that have been pulled stand in front of the data, in the same piece.
  if (offset + n <= linear)
    __builtin_memcpy(out.data(), packet_.at(static_cast<uint32_t>(place)), out.size());
  else if (offset >= 0)
    packet_.read(static_cast<size_t>(offset), out);
  else
    return false;
  return true;
}

Result<Ref<SocketFilter>> SocketFilter::create(Vec<BpfInstruction> program) {
  TRY(bpf_check({program.data(), program.size()}, kRules));
  Ref<SocketFilter> filter = make_ref<SocketFilter>(std::move(program));
  if (!filter) return Errno::nomem;
  return filter;
}

uint32_t SocketFilter::run(const FilterView& view) const { return bpf_run(program(), Loads{view}); }

bool pass_filter(const SocketFilter& filter, Packet& packet, uint32_t least) {
  const uint32_t keep = filter.run(WholePacketView(packet));
  if (keep == 0) return false;
  packet.trim(std::min<size_t>(packet.size(), std::max(keep, least)));
  return true;
}

}  // namespace runsc::net
