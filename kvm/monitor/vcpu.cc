#include "kvm/monitor/vcpu.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kvm/monitor/tsc.h"

namespace runsc::monitor {
namespace {

constexpr std::uint32_t kMsrTsc = 0x10;

int retry_ioctl(int fd, unsigned long request, const void* argument) {
  for (;;) {
    int result = ::ioctl(fd, request, argument);
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

Expected<std::unique_ptr<Vcpu>> Vcpu::create(const KvmSystem& kvm, int vm_fd, const CpuidModel& model,
                                             unsigned id, unsigned cpu) {
  std::unique_ptr<Vcpu> vcpu(new Vcpu);
  vcpu->id_ = id;
  vcpu->has_xsave2_ = kvm.has_xsave2();
  vcpu->xsave_size_ = kvm.xsave_size();
  vcpu->fd_.reset(::ioctl(vm_fd, KVM_CREATE_VCPU, static_cast<unsigned long>(id)));
  if (!vcpu->fd_.valid()) return fail_errno(fmt::format("KVM_CREATE_VCPU {}", id), errno);
  vcpu->run_size_ = kvm.vcpu_mmap_size();
  void* p = ::mmap(nullptr, vcpu->run_size_, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd(), 0);
  if (p == MAP_FAILED) return fail_errno("mapping a vCPU's run page", errno);
  vcpu->run_ = static_cast<kvm_run*>(p);
  MON_TRY(vcpu->set_cpuid(model, cpu));
  MON_TRY(vcpu->set_xcr0(model.xcr0()));
  MON_TRY(vcpu->match_host_tsc());
  return vcpu;
}

Vcpu::~Vcpu() {
  if (run_ != nullptr) ::munmap(run_, run_size_);
}

Expected<void> Vcpu::set_cpuid(const CpuidModel& model, unsigned cpu) {
  std::vector<kvm_cpuid_entry2> entries = model.for_cpu(cpu);
  auto list = std::make_unique<CpuidList>();
  if (entries.size() > kMaxCpuidEntries) return fail("CPUID has more leaves than KVM takes");
  list->count = static_cast<std::uint32_t>(entries.size());
  std::copy(entries.begin(), entries.end(), list->entries);
  if (retry_ioctl(fd(), kSetCpuid2, list.get()) < 0) return fail_errno("KVM_SET_CPUID2", errno);
  return {};
}

Expected<void> Vcpu::set_xcr0(std::uint64_t value) {
  kvm_xcrs xcrs{};
  xcrs.nr_xcrs = 1;
  xcrs.xcrs[0].xcr = 0;
  xcrs.xcrs[0].value = value;
  if (retry_ioctl(fd(), KVM_SET_XCRS, &xcrs) < 0) {
    return fail_errno(fmt::format("KVM_SET_XCRS to {:#x}", value), errno);
  }
  return {};
}

Expected<void> Vcpu::match_host_tsc() {
  std::uint64_t offset = 0;
  kvm_device_attr attribute{};
  attribute.group = KVM_VCPU_TSC_CTRL;
  attribute.attr = KVM_VCPU_TSC_OFFSET;
  attribute.addr = reinterpret_cast<std::uintptr_t>(&offset);
  if (::ioctl(fd(), KVM_HAS_DEVICE_ATTR, &attribute) == 0 &&
      ::ioctl(fd(), KVM_SET_DEVICE_ATTR, &attribute) == 0) {
    tsc_offset_ = 0;
    return {};
  }
  // Older KVM: write the counter. KVM makes vCPUs agree that are written within a second of each other; what
  // is left is the time between reading and writing, measured here.
  kvm_msr_entry entry{};
  entry.index = kMsrTsc;
  entry.data = read_tsc();
  MON_TRY(set_msrs({&entry, 1}));
  std::uint64_t before = read_tsc();
  std::uint64_t guest = MON_TRY(msr(kMsrTsc));
  std::uint64_t after = read_tsc();
  tsc_offset_ = static_cast<std::int64_t>(guest - (before + (after - before) / 2));
  return {};
}

Expected<kvm_regs> Vcpu::regs() const {
  kvm_regs r{};
  if (retry_ioctl(fd(), KVM_GET_REGS, &r) < 0) return fail_errno("KVM_GET_REGS", errno);
  return r;
}

Expected<void> Vcpu::set_regs(const kvm_regs& r) {
  if (retry_ioctl(fd(), KVM_SET_REGS, &r) < 0) return fail_errno("KVM_SET_REGS", errno);
  return {};
}

Expected<kvm_sregs> Vcpu::sregs() const {
  kvm_sregs s{};
  if (retry_ioctl(fd(), KVM_GET_SREGS, &s) < 0) return fail_errno("KVM_GET_SREGS", errno);
  return s;
}

Expected<void> Vcpu::set_sregs(const kvm_sregs& s) {
  if (retry_ioctl(fd(), KVM_SET_SREGS, &s) < 0) return fail_errno("KVM_SET_SREGS", errno);
  return {};
}

Expected<std::uint64_t> Vcpu::msr(std::uint32_t index) const {
  MsrList<1> list;
  list.count = 1;
  list.entries[0].index = index;
  int read = retry_ioctl(fd(), kGetMsrs, &list);
  if (read < 0) return fail_errno("KVM_GET_MSRS", errno);
  if (read != 1) return fail(fmt::format("KVM does not know the MSR {:#x}", index));
  return list.entries[0].data;
}

Expected<void> Vcpu::set_msrs(std::span<const kvm_msr_entry> msrs) {
  for (const kvm_msr_entry& m : msrs) {
    MsrList<1> list;
    list.count = 1;
    list.entries[0] = m;
    int written = retry_ioctl(fd(), kSetMsrs, &list);
    if (written < 0) return fail_errno("KVM_SET_MSRS", errno);
    if (written != 1) return fail(fmt::format("KVM refuses the MSR {:#x} = {:#x}", m.index, m.data));
  }
  return {};
}

Expected<void> Vcpu::get_xsave(std::span<std::byte> area) const {
  if (area.size() < xsave_size_) return fail("XSAVE area too small");
  if (retry_ioctl(fd(), has_xsave2_ ? kGetXsave2 : kGetXsave, area.data()) < 0) {
    return fail_errno("KVM_GET_XSAVE", errno);
  }
  return {};
}

Expected<void> Vcpu::set_xsave(std::span<const std::byte> area) {
  if (area.size() < xsave_size_) return fail("XSAVE area too small");
  if (retry_ioctl(fd(), kSetXsave, area.data()) < 0) return fail_errno("KVM_SET_XSAVE", errno);
  return {};
}

Expected<void> Vcpu::inject_exception(std::uint8_t vector, std::optional<std::uint32_t> error_code) {
  kvm_vcpu_events events{};
  if (retry_ioctl(fd(), KVM_GET_VCPU_EVENTS, &events) < 0) return fail_errno("KVM_GET_VCPU_EVENTS", errno);
  events.exception.injected = 1;
  events.exception.nr = vector;
  events.exception.has_error_code = error_code.has_value();
  events.exception.error_code = error_code.value_or(0);
  if (retry_ioctl(fd(), KVM_SET_VCPU_EVENTS, &events) < 0) return fail_errno("KVM_SET_VCPU_EVENTS", errno);
  return {};
}

Expected<void> Vcpu::interrupt(std::uint8_t vector) {
  kvm_interrupt irq{};
  irq.irq = vector;
  if (retry_ioctl(fd(), KVM_INTERRUPT, &irq) < 0) return fail_errno("KVM_INTERRUPT", errno);
  return {};
}

Expected<Vcpu::RunResult> Vcpu::run() {
  // The thread id costs a system call; a thread asks once. `noinline` matters not here: run() never switches
  // stacks.
  static thread_local const pid_t self = static_cast<pid_t>(::syscall(SYS_gettid));
  runner_.store(self, std::memory_order_seq_cst);
  int result = ::ioctl(fd(), KVM_RUN, 0);
  int code = errno;
  runner_.store(0, std::memory_order_seq_cst);
  if (result >= 0) return RunResult::exited;
  switch (code) {
    case EINTR:
    case EAGAIN:
      return RunResult::interrupted;
    case EFAULT:
      return RunResult::memory_fault;
    default:
      return fail_errno("KVM_RUN", code);
  }
}

void Vcpu::kick() {
  std::atomic_ref<std::uint8_t>(run_->immediate_exit).store(1, std::memory_order_seq_cst);
  pid_t thread = runner_.load(std::memory_order_seq_cst);
  if (thread != 0) ::syscall(SYS_tgkill, ::getpid(), thread, kick_signal());
}

void Vcpu::clear_kick() {
  std::atomic_ref<std::uint8_t>(run_->immediate_exit).store(0, std::memory_order_seq_cst);
}

int Vcpu::kick_signal() { return SIGRTMIN + 3; }

Expected<void> Vcpu::install_kick_handler() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  if (::sigaction(kick_signal(), &action, nullptr) < 0) return fail_errno("sigaction for kicks", errno);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, kick_signal());
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  return {};
}

}  // namespace runsc::monitor
