// flush_retired_tables: deleting a memory slot makes KVM drop every shadow page table of the VM.
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <mutex>

#include "kernel/base/check.h"
#include "kvm/arch/hosted/machine.h"

namespace runsc::arch {

namespace {

constexpr uint64_t kPage = 4096;
// Beyond RAM and window.
constexpr uint64_t kSpareAddress = hostcall::kWindowBase + hostcall::kWindowSize;

std::mutex flush_mutex;
void* spare_page = nullptr;  // guarded by flush_mutex

}  // namespace

void flush_retired_tables() {
  if (!hosted::sandbox.vm) return;
  std::scoped_lock lock(flush_mutex);
  if (!spare_page) {
    void* p = mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED, "no page for a memory slot");
    spare_page = p;
  }
  kvm_userspace_memory_region region{};
  region.slot = hosted::sandbox.vm->kvm().max_memslots() - 1;
  region.guest_phys_addr = kSpareAddress;
  region.memory_size = kPage;
  region.userspace_addr = reinterpret_cast<uint64_t>(spare_page);
  const int fd = hosted::sandbox.vm->fd();
  bool added = ioctl(fd, KVM_SET_USER_MEMORY_REGION, &region) == 0;
  region.memory_size = 0;
  bool deleted = added && ioctl(fd, KVM_SET_USER_MEMORY_REGION, &region) == 0;
  CHECK(deleted, "KVM refuses to change memory slots: retired page tables would stay live");
}

}  // namespace runsc::arch
