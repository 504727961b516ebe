// The ring 0 runner with a sentry of a few instructions. Needs a KVM whose guests have XSAVE in ring 0.
#include "kvm/monitor/ring0_runner.h"

#include <elf.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <cstring>

#include "kvm/arch/ring0/boot_protocol.h"
#include "kvm/monitor/boot_image.h"
#include "kvm/monitor/crash_report.h"
#include "kvm/monitor/guest_walk.h"
#include "kvm/monitor/testing/service_fixture.h"
#include "kvm/monitor/tsc.h"

extern "C" const char toy_sentry[], toy_sentry_end[], toy_crash[], toy_crash_end[], toy_kick[],
    toy_kick_end[], toy_wires[], toy_wires_end[];

// Frame: number at 0, body at 16. BootInfo: frames_phys at 104. Each starts as boot_protocol.h says.
asm(R"(
.pushsection .rodata
.macro find_frame
  movabs $0xffff888000000000, %rax
  add %rax, %rdi
  mov 104(%rdi), %rbx
  add %rax, %rbx
  imul $12288, %rsi, %rcx
  add %rcx, %rbx
.endm
toy_sentry:
  find_frame
  test %rsi, %rsi
  jnz 2f
  movl $9, (%rbx)         # cpu_wake
  movq $2, 16(%rbx)
  out %al, $0x40
1:
  pause
  cmpq $0x77, 12288+24(%rbx)
  jne 1b
  movl $8, (%rbx)         # cpu_idle, until a deadline that has passed
  movq $1, 16(%rbx)
  out %al, $0x40
  movl $2, (%rbx)         # exit
  movl $0x300, 16(%rbx)
  out %al, $0x40
  ud2
2:
  movl $8, (%rbx)         # cpu_idle, without a deadline
  movq $-1, 16(%rbx)
  out %al, $0x40
  movq $0x77, 24(%rbx)
  movl $8, (%rbx)
  movq $-1, 16(%rbx)
  out %al, $0x40
  ud2
toy_sentry_end:
toy_crash:
  ud2
toy_crash_end:
# Interrupts on and a loop, as user code would be: the kick of vector 0x20 finds no gate and ends in a triple fault.
toy_kick:
  sti
  nop
3:
  pause
  jmp 3b
toy_kick_end:
toy_wires:
  find_frame
  test %rsi, %rsi
  jnz 5f
  mov $3, %ecx
4:
  mov $1, %eax            # KVM's
  out %eax, $0x42
  dec %ecx
  jnz 4b
  xor %eax, %eax          # the runner's
  out %eax, $0x42
  mov $77, %eax           # nobody's
  out %eax, $0x42
  movl $2, (%rbx)         # exit
  movl $0x300, 16(%rbx)
  out %al, $0x40
  ud2
5:
  pause
  jmp 5b
toy_wires_end:
.popsection
)");

namespace runsc::monitor {
namespace {

static_assert(offsetof(hostcall::BootInfo, frames_phys) == 104);

std::vector<std::byte> elf_of(const char* begin, const char* end) {
  const std::size_t size = static_cast<std::size_t>(end - begin);
  std::vector<std::byte> file(4096 + size);
  Elf64_Ehdr h{};
  std::memcpy(h.e_ident, ELFMAG, SELFMAG);
  h.e_ident[EI_CLASS] = ELFCLASS64;
  h.e_ident[EI_DATA] = ELFDATA2LSB;
  h.e_type = ET_EXEC;
  h.e_machine = EM_X86_64;
  h.e_entry = arch::ring0::kImage;
  h.e_phoff = sizeof h;
  h.e_phentsize = sizeof(Elf64_Phdr);
  h.e_phnum = 1;
  Elf64_Phdr p{};
  p.p_type = PT_LOAD;
  p.p_flags = PF_R | PF_X;
  p.p_offset = 4096;
  p.p_vaddr = arch::ring0::kImage;
  p.p_filesz = p.p_memsz = size;
  std::memcpy(file.data(), &h, sizeof h);
  std::memcpy(file.data() + sizeof h, &p, sizeof p);
  std::memcpy(file.data() + 4096, begin, size);
  return file;
}

struct Ended final : SandboxEnd {
  void finish(std::uint32_t wait_status) override { tell(fmt_status(wait_status)); }
  void panic(unsigned, const ValidPanic& p) override { tell("panic " + p.reason); }
  static std::string fmt_status(std::uint32_t status) { return "exit " + std::to_string(status); }
  void tell(const std::string& what) {
    std::scoped_lock lock(mutex);
    if (how.empty()) how = what;
    changed.notify_all();
  }
  std::string wait() {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return !how.empty(); });
    return how;
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::string how;
};

// Runs the toy until it ends; `meanwhile` is called once it runs. Nothing where this KVM cannot run it.
template <class Meanwhile>
std::optional<std::string> run_toy(const char* begin, const char* end, Meanwhile&& meanwhile,
                                   std::string* exits = nullptr, int bells[2] = nullptr) {
  constexpr unsigned kCpus = 2;
  auto kvm = KvmSystem::open();
  REQUIRE(kvm);
  REQUIRE(Vcpu::install_kick_handler());
  auto vm = Vm::create(*kvm, 64 * kMiB, kCpus).value();
  auto made = Ring0Runner::create(*vm, kCpus);
  if (!made) {
    CHECK(made.error().message == "unsupported CPU: ring0 mode needs XSAVE");
    return std::nullopt;
  }
  Ring0Runner& runner = **made;
  std::vector<std::byte> file = elf_of(begin, end);
  ElfImage image = ElfImage::parse(file).value();
  BootAllocator allocator(vm->memory(), load_sentry(vm->memory(), image).value());
  const std::uint64_t cr3 = build_boot_tables(*vm, allocator, image).value();
  const std::uint64_t hz = tsc_frequency(*kvm, vm->fd()).value();
  const std::int64_t offset = runner.vcpu(0).tsc_offset();
  const std::uint64_t info =
      write_boot_info(*vm, allocator, {kCpus, 2, false, hz, offset}, "container").value();
  REQUIRE(runner.set_start(cr3, image.entry(), info));

  const hostcall::BootInfo& boot = boot_info_at(vm->memory(), info);
  CHECK(boot.magic == hostcall::kBootMagic);
  CHECK(boot.free_start == allocator.next());
  CHECK(walk(vm->memory(), cr3, arch::ring0::kDirectMap + info) == info);
  CHECK(walk(vm->memory(), cr3, arch::ring0::kDirectMap + kWindowPhys + 5) == kWindowPhys + 5);
  CHECK(walk(vm->memory(), cr3, arch::ring0::kImage) == arch::ring0::kImagePhys);
  CHECK_FALSE(walk(vm->memory(), cr3, 0));

  FileTable files({});
  auto events = EventLoop::create().value();
  HostWatches watches;
  auto commands = CommandQueue::create().value();
  Ended ended;
  WireSet wires;
  for (int i = 0; bells != nullptr && i < 2; ++i)
    REQUIRE(wires.add(std::make_unique<WirePump>(
        WireFds{UniqueFd(), UniqueFd(::dup(bells[i]))}, vm->memory(), [] {}, [](const std::string&) {})));
  if (bells != nullptr) REQUIRE(vm->hang_bell(hostcall::kWirePort, 1, bells[1]));
  Services services{
      vm->memory(), files, *events, watches, *commands, wires, runner, ended, {vm->memory().limit(), kCpus},
      -1,           offset};
  HostcallServer server(services, kCpus);
  runner.start({server, boot.frames_phys, hz, {}, [&](const Vcpu& vcpu, const std::string& reason) {
                  ended.tell(crash_report(vcpu, vm->memory(), &image.symbols(), reason));
                }});
  meanwhile(runner);
  std::string how = ended.wait();
  runner.stop();
  if (exits != nullptr) *exits = runner.describe_exits();
  return how;
}

TEST_CASE("ring 0 CPUs call, idle, wake each other and exit", "[monitor][ring0]") {
  auto how = run_toy(toy_sentry, toy_sentry_end, [](Ring0Runner&) {});
  if (how) CHECK(*how == "exit 768");
}

TEST_CASE("a ring 0 crash is reported", "[monitor][ring0]") {
  auto how = run_toy(toy_crash, toy_crash_end, [](Ring0Runner&) {});
  if (how) CHECK(how->find("triple fault") != std::string::npos);
}

TEST_CASE("a kick becomes an interrupt once the guest takes them", "[monitor][ring0]") {
  auto how = run_toy(toy_kick, toy_kick_end, [](Ring0Runner& runner) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    runner.wake(1);
  });
  if (how) CHECK(how->find("triple fault") != std::string::npos);
}

TEST_CASE("the bell of a wire is rung by KVM, or by the runner", "[monitor][ring0]") {
  int bells[2];
  for (int& bell : bells) bell = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::string exits;
  auto how = run_toy(
      toy_wires, toy_wires_end, [](Ring0Runner&) {}, &exits, bells);
  std::uint64_t rung[2] = {};
  for (int i = 0; i < 2; ++i) {
    if (::read(bells[i], &rung[i], sizeof rung[i]) != sizeof rung[i]) rung[i] = 0;
    ::close(bells[i]);
  }
  if (!how) return;
  CHECK(*how == "exit 768");
  // Each pump rings its own once more, when it ends.
  CHECK(rung[0] == 1 + 1);
  CHECK(rung[1] == 3 + 1);
  CAPTURE(exits);
  CHECK(exits.find("cpu 0: 3 hostcalls") != std::string::npos);  // with the last one: what was not KVM's
}

}  // namespace
}  // namespace runsc::monitor
