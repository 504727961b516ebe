#include "kvm/monitor/vcpu_stats.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <string_view>
#include <vector>

namespace runsc::monitor {
namespace {

// struct kvm_stats_desc without the name behind it, whose room the header tells
// (Documentation/virt/kvm/api.rst, 4.133).
struct Descriptor {
  std::uint32_t flags;
  std::int16_t exponent;
  std::uint16_t size;
  std::uint32_t offset;
  std::uint32_t bucket_size;
};
static_assert(sizeof(Descriptor) == 16);

// preadv2(2), because that is what the jail lets through.
bool read_at(int fd, void* to, std::size_t size, std::uint64_t offset) {
  const iovec part{to, size};
  return ::preadv2(fd, &part, 1, static_cast<off_t>(offset), 0) == static_cast<ssize_t>(size);
}

constexpr std::uint32_t kMostDescriptors = 1024, kLongestName = 256;

}  // namespace

std::optional<VcpuStats> VcpuStats::open(int vcpu_fd) {
  UniqueFd fd(::ioctl(vcpu_fd, KVM_GET_STATS_FD, nullptr));
  if (!fd.valid()) return std::nullopt;
  kvm_stats_header header{};
  if (!read_at(fd.get(), &header, sizeof header, 0)) return std::nullopt;
  if (header.num_desc > kMostDescriptors || header.name_size > kLongestName) return std::nullopt;
  const std::size_t step = sizeof(Descriptor) + header.name_size;
  std::vector<char> all(step * header.num_desc);
  if (!read_at(fd.get(), all.data(), all.size(), header.desc_offset)) return std::nullopt;
  for (std::size_t i = 0; i < header.num_desc; ++i) {
    const char* at = all.data() + i * step;
    Descriptor d;
    std::memcpy(&d, at, sizeof d);
    const char* name = at + sizeof d;
    if (std::string_view(name, ::strnlen(name, header.name_size)) == "exits")
      return VcpuStats(std::move(fd), std::uint64_t{header.data_offset} + d.offset);
  }
  return std::nullopt;
}

std::uint64_t VcpuStats::exits() const {
  std::uint64_t value = 0;
  return read_at(fd_.get(), &value, sizeof value, exits_at_) ? value : 0;
}

}  // namespace runsc::monitor
