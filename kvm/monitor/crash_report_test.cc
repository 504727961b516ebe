#include "kvm/monitor/crash_report.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <iterator>

#include "kvm/monitor/guest_walk.h"
#include "kvm/monitor/testing/test_guest.h"

namespace runsc::monitor {
namespace {

using testing::kKernelBase;
using testing::TestGuest;

TEST_CASE("the walk finds pages of all sizes and stops at holes", "[monitor][report]") {
  TestGuest guest;
  GuestMemory& memory = guest.memory();
  CHECK(walk(memory, testing::kPml4, testing::kUserBase + 0x123) == testing::kCodePhys + 0x123);
  CHECK(walk(memory, testing::kPml4, kKernelBase + 0x345678) == 0x345678);
  CHECK_FALSE(walk(memory, testing::kPml4, testing::kUserBase + 0x5000));
  CHECK_FALSE(walk(memory, testing::kPml4, 0x7fff00000000));
  // Tables that point outside of RAM end the walk.
  guest.words(testing::kPml4)[5] = std::uint64_t{1} << 40 | 3;
  CHECK_FALSE(walk(memory, testing::kPml4, std::uint64_t{5} << 39));
  CHECK_FALSE(walk(memory, std::uint64_t{1} << 45, 0));
  guest.words(0x2000)[1] = std::uint64_t{1} << 30 | 0x83;
  CHECK(walk(memory, testing::kPml4, (std::uint64_t{1} << 30) + 77) == (std::uint64_t{1} << 30) + 77);
  CHECK_FALSE(read_guest_word(memory, testing::kPml4, (std::uint64_t{1} << 30) + 77));
  CHECK(read_guest_word(memory, testing::kPml4, testing::kUserBase).has_value());
  CHECK_FALSE(read_guest_word(memory, testing::kPml4, testing::kUserBase + 0x1ffc));
}

TEST_CASE("a triple fault is reported with registers and backtrace", "[monitor][report]") {
  TestGuest guest;
  auto vcpu = guest.make_vcpu();
  // Ring 0: an IDT of no entries, two frames on the stack, then #UD.
  constexpr std::uint64_t kCode = 0x300000;
  constexpr std::uint64_t kStack = 0x310000;
  const std::uint8_t code[] = {0x0f, 0x0b};
  std::memcpy(guest.memory().at(kCode), code, sizeof code);
  guest.words(kStack)[0] = kKernelBase + kStack + 0x40;
  guest.words(kStack)[1] = 0xffffffff80001235;
  guest.words(kStack + 0x40)[0] = 0;
  guest.words(kStack + 0x40)[1] = 0xffffffff80004567;
  kvm_regs regs{};
  regs.rbp = kKernelBase + kStack;
  regs.rbx = 0xfeedfacecafe;
  guest.enter_kernel(*vcpu, kCode, regs);
  kvm_sregs sregs = vcpu->sregs().value();
  sregs.idt.limit = 0;
  REQUIRE(vcpu->set_sregs(sregs));
  REQUIRE(vcpu->run().value() == Vcpu::RunResult::exited);
  CHECK(vcpu->run_page().exit_reason == KVM_EXIT_SHUTDOWN);
  std::string report = crash_report(*vcpu, guest.memory(), nullptr, describe_exit(vcpu->run_page()));
  INFO(report);
  CHECK(report.find("triple fault") != std::string::npos);
  // (Registers after a shutdown are KVM's to choose: on some hardware the vCPU has been reset.)
  std::string trace =
      backtrace(guest.memory(), testing::kPml4, kKernelBase + kCode, kKernelBase + kStack, nullptr);
  CHECK(trace ==
        "  #0  0xffff800000300000\n"
        "  #1  0xffffffff80001234\n"
        "  #2  0xffffffff80004566\n");
}

std::vector<std::byte> own_binary() {
  std::ifstream in("/proc/self/exe", std::ios::binary);
  std::vector<char> chars((std::istreambuf_iterator<char>(in)), {});
  std::vector<std::byte> bytes(chars.size());
  std::memcpy(bytes.data(), chars.data(), chars.size());
  bytes[16] = std::byte{2};  // ET_EXEC: this test is position independent, the sentry is not
  return bytes;
}

TEST_CASE("symbols come out demangled", "[monitor][report]") {
  std::vector<std::byte> file = own_binary();
  auto image = ElfImage::parse(file);
  if (!image) FAIL(image.error().message);
  REQUIRE(image->symbols().size() > 0);
  auto address = image->symbols().address_of("_ZN5runsc7monitor13describe_exitB5cxx11ERK7kvm_run");
  REQUIRE(address);
  auto hit = image->symbols().lookup(*address + 5);
  REQUIRE(hit);
  CHECK(hit->name.find("runsc::monitor::describe_exit") == 0);
  CHECK(hit->offset == 5);
  CHECK(image->symbols().describe(1) == "0x0000000000000001");
}

TEST_CASE("damaged images are errors", "[monitor][report]") {
  std::vector<std::byte> file = own_binary();
  std::span<const std::byte> whole(file);
  for (std::size_t size :
       {std::size_t{0}, std::size_t{10}, std::size_t{63}, std::size_t{64}, std::size_t{100}}) {
    CHECK_FALSE(ElfImage::parse(whole.first(size)));
  }
  // Header bytes of all values: an answer or an error, never a crash.
  for (std::size_t at = 16; at < 64; ++at) {
    for (unsigned value : {0x00U, 0x01U, 0x7fU, 0x80U, 0xffU}) {
      std::byte old = file[at];
      file[at] = static_cast<std::byte>(value);
      (void)ElfImage::parse(whole.first(8192));
      file[at] = old;
    }
  }
}

}  // namespace
}  // namespace runsc::monitor
