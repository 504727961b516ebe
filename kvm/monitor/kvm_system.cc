#include "kvm/monitor/kvm_system.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace runsc::monitor {
namespace {

struct Capability {
  int number;
  const char* name;
  int needed;  // bits that the answer must have; 1 for plain presence
};

constexpr Capability kRequired[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", 0},
    {KVM_CAP_SYNC_MMU, "KVM_CAP_SYNC_MMU", 0},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID", 0},
    {KVM_CAP_NR_MEMSLOTS, "KVM_CAP_NR_MEMSLOTS", 0},
    {KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS", 0},
    {KVM_CAP_XSAVE, "KVM_CAP_XSAVE", 0},
    {KVM_CAP_XCRS, "KVM_CAP_XCRS", 0},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", 0},
    {KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS", KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS},
};

// Enough for the slots of a small sandbox; larger ones meet the real limit when their memory grows.
constexpr int kFewestMemslots = 32;

constexpr int kApiVersion = 12;

int extension(int fd, int capability) {
  return ::ioctl(fd, KVM_CHECK_EXTENSION, static_cast<unsigned long>(capability));
}

}  // namespace

Expected<KvmSystem> KvmSystem::open(const char* path) {
  UniqueFd fd(::open(path, O_RDWR | O_CLOEXEC));
  if (fd.valid()) return from_fd(std::move(fd));
  switch (errno) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
      return fail(fmt::format("{}: no KVM on this machine (is the kvm module loaded?)", path));
    case EACCES:
    case EPERM:
      return fail(fmt::format("{}: permission denied (the sandbox needs read and write access)", path));
    default:
      return fail_errno(path, errno);
  }
}

Expected<KvmSystem> KvmSystem::from_fd(UniqueFd fd) {
  KvmSystem kvm;
  kvm.fd_ = std::move(fd);
  MON_TRY(kvm.check_capabilities());
  MON_TRY(kvm.read_supported_cpuid());
  MON_TRY(kvm.check_cpu());
  return kvm;
}

Expected<void> KvmSystem::check_capabilities() {
  int version = ::ioctl(fd(), KVM_GET_API_VERSION, 0);
  if (version < 0) return fail_errno("not a KVM device: KVM_GET_API_VERSION", errno);
  if (version != kApiVersion) {
    return fail(fmt::format("KVM API version {} is not the stable version {}", version, kApiVersion));
  }
  for (const Capability& cap : kRequired) {
    int answer = extension(fd(), cap.number);
    if (answer <= 0 || (answer & cap.needed) != cap.needed) {
      return fail(fmt::format("KVM of this machine lacks the capability {}", cap.name));
    }
  }
  int slots = extension(fd(), KVM_CAP_NR_MEMSLOTS);
  if (slots < kFewestMemslots) {
    return fail(fmt::format("KVM offers {} memory slots, at least {} are needed", slots, kFewestMemslots));
  }
  max_memslots_ = static_cast<std::uint32_t>(slots);
  // api.rst: without KVM_CAP_MAX_VCPUS the answer of KVM_CAP_NR_VCPUS holds, without that one 4.
  int vcpus = extension(fd(), KVM_CAP_MAX_VCPUS);
  if (vcpus <= 0) vcpus = extension(fd(), KVM_CAP_NR_VCPUS);
  max_vcpus_ = vcpus > 0 ? static_cast<std::uint32_t>(vcpus) : 4;
  int size = ::ioctl(fd(), KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < static_cast<int>(sizeof(kvm_run))) {
    return fail(fmt::format("KVM_GET_VCPU_MMAP_SIZE answers {}, less than struct kvm_run", size));
  }
  vcpu_mmap_size_ = static_cast<std::size_t>(size);
  int xsave = extension(fd(), KVM_CAP_XSAVE2);
  has_xsave2_ = xsave >= 4096;
  xsave_size_ = has_xsave2_ ? static_cast<std::size_t>(xsave) : 4096;
  has_tsc_khz_ = extension(fd(), KVM_CAP_GET_TSC_KHZ) > 0;
  return {};
}

Expected<void> KvmSystem::read_supported_cpuid() {
  auto list = std::make_unique<CpuidList>();
  list->count = kMaxCpuidEntries;
  if (::ioctl(fd(), kGetSupportedCpuid, list.get()) < 0) return fail_errno("KVM_GET_SUPPORTED_CPUID", errno);
  std::size_t count = std::min<std::size_t>(list->count, kMaxCpuidEntries);
  supported_cpuid_.assign(list->entries, list->entries + count);
  return {};
}

Expected<void> KvmSystem::check_cpu() const {
  auto find = [this](std::uint32_t leaf) -> kvm_cpuid_entry2 {
    for (const kvm_cpuid_entry2& e : supported_cpuid_) {
      if (e.function == leaf && e.index == 0) return e;
    }
    return {};
  };
  struct Need {
    bool present;
    const char* name;
  };
  kvm_cpuid_entry2 basic = find(1);
  kvm_cpuid_entry2 extended = find(0x80000001);
  const Need needs[] = {
      {(extended.edx >> 29 & 1) != 0, "long mode"}, {(extended.edx >> 11 & 1) != 0, "SYSCALL"},
      {(extended.edx >> 20 & 1) != 0, "NX"},        {(basic.edx >> 24 & 1) != 0, "FXSR"},
      {(basic.edx >> 26 & 1) != 0, "SSE2"},         {(basic.edx >> 4 & 1) != 0, "TSC"},
  };
  for (const Need& need : needs) {
    if (!need.present) return fail(fmt::format("unsupported CPU: KVM offers no {} to guests", need.name));
  }
  return {};
}

Expected<UniqueFd> KvmSystem::create_vm() const {
  for (;;) {
    int vm = ::ioctl(fd(), KVM_CREATE_VM, 0UL);
    if (vm >= 0) return UniqueFd(vm);
    if (errno != EINTR) return fail_errno("KVM_CREATE_VM", errno);
  }
}

}  // namespace runsc::monitor
