// Shoot-down: MADV_DONTNEED on the host mapping of the old pages. Their memory is a shared memfd, or a file,
// and stays; what goes is the host's page table entries and, by KVM's MMU notifier, every translation that a
// vCPU has to them, running ones included. The caller has stored the PTEs; copies translate anew under
// pte_lock.
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "kernel/base/check.h"
#include "kvm/arch/hosted/guest_half.h"
#include "kvm/arch/hosted/machine.h"

namespace runsc::arch {

namespace {

constexpr uint64_t kPage = 4096;
// A call costs some 5 us, a page that was dropped in vain and is used again 1.5 us.
constexpr uint64_t kSweep = 3 * kPage;

void drop(uint64_t low, uint64_t high) {
  if (!hosted::sandbox.vm) return;  // unit tests without KVM: only copies translate
  low &= ~(kPage - 1);
  high = (high + kPage - 1) & ~(kPage - 1);
  while (madvise(phys_to_virt(low), high - low, MADV_DONTNEED) != 0)
    CHECK(errno == EAGAIN || errno == EINTR, "madvise of guest memory failed: stale translations would stay");
}

}  // namespace

void tlb_shootdown(UserSpace&, TlbBatch& batch) {
  std::span<TlbBatch::Span> spans = batch.spans();
  if (spans.empty()) return;
  std::sort(spans.begin(), spans.end(),
            [](const TlbBatch::Span& a, const TlbBatch::Span& b) { return a.low < b.low; });
  TlbBatch::Span current = spans[0];
  for (const TlbBatch::Span& s : spans.subspan(1)) {
    if (s.low <= current.high + kSweep) {
      current.high = std::max(current.high, s.high);
      continue;
    }
    drop(current.low, current.high);
    current = s;
  }
  drop(current.low, current.high);
  batch.clear();
}

void user_space_init(UserSpace& space) {
  static_cast<uint64_t*>(phys_to_virt(space.root_phys))[hosted::kUpperIndex] = hosted::upper_entry();
}

// Every vCPU that had the root gets another one before it runs again, and none runs now.
void user_space_retire(UserSpace&) {}

}  // namespace runsc::arch
