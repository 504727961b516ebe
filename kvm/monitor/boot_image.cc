#include "kvm/monitor/boot_image.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "kvm/arch/ring0/boot_protocol.h"
#include "kvm/monitor/tsc.h"

namespace runsc::monitor {
namespace {

namespace ring0 = arch::ring0;

constexpr std::uint64_t kNone = ~std::uint64_t{0};
constexpr std::uint64_t k2MiB = 2 * kMiB;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

bool bit(std::uint32_t word, unsigned n) { return (word >> n & 1) != 0; }

// Four-level page tables under construction.
class TableBuilder {
 public:
  static Expected<TableBuilder> create(GuestMemory& memory, BootAllocator& allocator) {
    TableBuilder tables(memory, allocator);
    tables.root_ = MON_TRY(allocator.take(kGuestPageSize));
    return tables;
  }
  std::uint64_t root() const { return root_; }

  // Maps one page of 4 KiB (level 0), 2 MiB (1) or 1 GiB (2).
  Expected<void> map(std::uint64_t address, std::uint64_t phys, int level, std::uint64_t bits) {
    std::uint64_t table = root_;
    for (int at = 3; at > level; --at) {
      std::uint64_t& entry = slot(table, address, at);
      if (entry == 0)
        entry = MON_TRY(allocator_.take(kGuestPageSize)) | ring0::kPtePresent | ring0::kPteWrite;
      table = entry & 0x000ffffffffff000;
    }
    std::uint64_t& leaf = slot(table, address, level);
    if (leaf != 0) return fail("sentry image: two segments share a page");
    leaf = phys | bits | (level > 0 ? ring0::kPteLarge : 0);
    return {};
  }

 private:
  TableBuilder(GuestMemory& memory, BootAllocator& allocator) : memory_(memory), allocator_(allocator) {}
  // SAFETY: tables lie in RAM that this process has to itself until the first vCPU runs.
  std::uint64_t& slot(std::uint64_t table, std::uint64_t address, int level) {
    return reinterpret_cast<std::uint64_t*>(memory_.at(table))[address >> (12 + 9 * level) & 511];
  }

  GuestMemory& memory_;
  BootAllocator& allocator_;
  std::uint64_t root_ = 0;
};

Expected<void> map_direct(TableBuilder& tables, std::uint64_t start, std::uint64_t end, bool huge) {
  const std::uint64_t step = huge ? kGiB : k2MiB;
  const std::uint64_t bits = ring0::kPtePresent | ring0::kPteWrite | ring0::kPteAccessed | ring0::kPteDirty |
                             ring0::kPteGlobal | ring0::kPteNx;
  for (std::uint64_t phys = start; phys < end; phys += step) {
    MON_TRY(tables.map(ring0::kDirectMap + phys, phys, huge ? 2 : 1, bits));
  }
  return {};
}

}  // namespace

Expected<std::uint64_t> BootAllocator::take(std::uint64_t size) {
  size = round_up(std::max<std::uint64_t>(size, 1), kGuestPageSize);
  if (!memory_.valid_ram(next_, size)) return fail("not enough guest memory to boot");
  MON_TRY(memory_.ensure(next_ + size));
  std::uint64_t at = next_;
  next_ += size;
  return at;
}

std::uint32_t boot_features(const CpuidModel& cpuid) {
  using namespace hostcall;
  auto leaf = [&](std::uint32_t function, std::uint32_t index = 0) {
    return cpuid.find(function, index).value_or(kvm_cpuid_entry2{});
  };
  std::uint32_t f = 0;
  if (cpuid.has_fsgsbase()) f |= kFeatureFsgsbase;
  if (cpuid.has_smap()) f |= kFeatureSmap;
  if (cpuid.has_smep()) f |= kFeatureSmep;
  if (cpuid.has_umip()) f |= kFeatureUmip;
  if (bit(leaf(0xd, 1).eax, 0)) f |= kFeatureXsaveopt;
  if (bit(leaf(7).ebx, 9)) f |= kFeatureErms;
  if (bit(leaf(0x80000001).edx, 27)) f |= kFeatureRdtscp;
  if (bit(leaf(7).ebx, 10)) f |= kFeatureInvpcid;
  return f;
}

Expected<std::uint64_t> write_boot_info(Vm& vm, BootAllocator& allocator, const BootOptions& options,
                                        const std::string& container) {
  GuestMemory& memory = vm.memory();
  const std::uint64_t at = MON_TRY(allocator.take(sizeof(hostcall::BootInfo)));
  const std::uint64_t shared = MON_TRY(allocator.take(sizeof(hostcall::Shared)));
  const std::uint64_t frames = MON_TRY(allocator.take(std::uint64_t{options.cpus} * hostcall::kFrameSize));
  const std::uint64_t bytes = MON_TRY(allocator.take(container.size()));
  std::memcpy(memory.at(bytes), container.data(), container.size());
  auto* block = new (memory.at(shared)) hostcall::Shared{};
  for (hostcall::CpuShared& cpu : block->cpu) cpu.timer_deadline_tsc.store(kNone);

  hostcall::BootInfo info{};
  info.magic = hostcall::kBootMagic;
  info.cpus = options.cpus;
  info.log_level = options.log_level;
  info.strace = options.strace ? 1 : 0;
  info.ram_limit = memory.limit();
  info.tsc_hz = options.tsc_hz;
  ClockAnchor anchor = read_clock_anchor();
  info.boot_tsc = anchor.tsc + static_cast<std::uint64_t>(options.tsc_offset);
  info.boot_realtime_ns = anchor.realtime_ns;
  info.boot_monotonic_ns = anchor.monotonic_ns;
  info.xcr0 = vm.cpuid().xcr0();
  info.xsave_size = vm.cpuid().xsave_bytes();
  info.cpu_features = boot_features(vm.cpuid());
  info.shared_phys = shared;
  info.frames_phys = frames;
  info.container_phys = bytes;
  info.container_size = container.size();
  if (::getrandom(info.random_seed, sizeof info.random_seed, 0) != sizeof info.random_seed) {
    return fail_errno("getrandom", errno);
  }
  info.free_start = allocator.next();
  info.ram_ready = memory.ram_end();
  std::memcpy(memory.at(at), &info, sizeof info);
  return at;
}

Expected<std::uint64_t> load_sentry(GuestMemory& memory, const ElfImage& image) {
  std::uint64_t end = ring0::kImagePhys;
  for (const ElfSegment& s : image.segments()) {
    const std::uint64_t offset = s.address - ring0::kImage;
    // The first slot holds the image: it is there from the start.
    if (s.address < ring0::kImage || offset > kFirstSlotSize ||
        s.memory_size > kFirstSlotSize - ring0::kImagePhys ||
        offset + s.memory_size > kFirstSlotSize - ring0::kImagePhys) {
      return fail(fmt::format("sentry image: segment at {:#x} does not fit", s.address));
    }
    std::memcpy(memory.at(ring0::kImagePhys + offset), s.bytes.data(), s.bytes.size());
    end = std::max(end, ring0::kImagePhys + offset + s.memory_size);
  }
  return round_up(end, kGuestPageSize);
}

Expected<std::uint64_t> build_boot_tables(Vm& vm, BootAllocator& allocator, const ElfImage& image) {
  TableBuilder tables = MON_TRY(TableBuilder::create(vm.memory(), allocator));
  for (const ElfSegment& s : image.segments()) {
    std::uint64_t bits = ring0::kPtePresent | ring0::kPteAccessed | ring0::kPteGlobal;
    if (s.writable) bits |= ring0::kPteWrite | ring0::kPteDirty;
    if (!s.executable) bits |= ring0::kPteNx;
    const std::uint64_t start = s.address / kGuestPageSize * kGuestPageSize;
    for (std::uint64_t at = start; at < s.address + s.memory_size; at += kGuestPageSize) {
      MON_TRY(tables.map(at, ring0::kImagePhys + (at - ring0::kImage), 0, bits));
    }
  }
  const auto extended = vm.cpuid().find(0x80000001);
  const bool huge = extended && bit(extended->edx, 26);
  MON_TRY(map_direct(tables, 0, vm.memory().limit(), huge));
  MON_TRY(map_direct(tables, kWindowPhys, kWindowPhys + kWindowSize, huge));
  return tables.root();
}

}  // namespace runsc::monitor
