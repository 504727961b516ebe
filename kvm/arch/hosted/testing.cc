#include "kvm/arch/hosted/testing.h"

#include <sys/mman.h>

#include "kernel/base/check.h"
#include "kvm/arch/hosted/guarded.h"
#include "kvm/arch/hosted/machine.h"

namespace runsc::arch::hosted {

namespace {

constexpr uint64_t kReservation = hostcall::kWindowBase + hostcall::kWindowSize;
constexpr uint64_t kPage = 4096;

void map_at(std::byte* base, uint64_t phys, uint64_t bytes) {
  void* p = mmap(base + phys, bytes, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  CHECK(p == base + phys, "no memory for the test machine");
}

}  // namespace

const hostcall::BootInfo& start_test_machine(uint64_t bytes, uint64_t window_bytes) {
  static std::byte* previous = nullptr;
  if (previous)
    munmap(previous, kReservation);
  else
    CHECK(install_fault_handler(), "no fault handler");
  void* p = mmap(nullptr, kReservation, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(p != MAP_FAILED, "no addresses for the test machine");
  direct_map_base = previous = static_cast<std::byte*>(p);
  map_at(direct_map_base, 0, bytes);
  map_at(direct_map_base, hostcall::kWindowBase, window_bytes);
  hostcall::BootInfo info{};
  info.magic = hostcall::kBootMagic;
  info.cpus = 1;
  info.ram_limit = info.ram_ready = bytes;
  info.shared_phys = kPage;
  info.frames_phys = info.shared_phys + 2 * kPage;
  info.free_start = info.frames_phys + sizeof(hostcall::Frame);
  info.tsc_hz = 1000000000;
  info.xcr0 = 3;
  info.xsave_size = 576;
  sandbox = {};
  sandbox.info = info;
  sandbox.shared = static_cast<hostcall::Shared*>(phys_to_virt(info.shared_phys));
  sandbox.frames = static_cast<hostcall::Frame*>(phys_to_virt(info.frames_phys));
  return sandbox.info;
}

void serve_test_machine(Service serve, void* context) {
  sandbox.serve = serve;
  sandbox.context = context;
}

}  // namespace runsc::arch::hosted
