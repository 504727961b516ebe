#include "kernel/aio/ring.h"

#include "mm/address_space.h"

namespace runsc::kernel {

namespace {
constexpr uint32_t kMagicNumber = 0xa10a10a1;
constinit std::atomic<uint64_t> g_numbers{1};
}  // namespace

AioRing::AioRing(mm::AddressSpace& owner)
    : owner_(&owner), number_(g_numbers.fetch_add(1, std::memory_order_relaxed)) {}

Result<Ref<AioRing>> AioRing::create(mm::AddressSpace& owner, uint32_t events, uint32_t id) {
  Ref<AioRing> ring = make_ref<AioRing>(owner);
  if (!ring) return Errno::nomem;
  // The header takes the room of one event.
  uint64_t pages = mm::page_up((uint64_t{events} + 1) * sizeof(IoEvent)) / mm::kPageSize;
  TRY(ring->pages_.reserve(pages));
  for (uint64_t i = 0; i < pages; ++i) TRY(ring->pages_.push_back(TRY(mm::alloc_page(mm::Zero::yes))));
  ring->word(kId).store(id, std::memory_order_relaxed);
  ring->word(kSlots).store(ring->slots(), std::memory_order_relaxed);
  ring->word(kMagic).store(kMagicNumber, std::memory_order_relaxed);
  ring->word(kCompatible).store(1, std::memory_order_relaxed);
  ring->word(kHeader).store(sizeof(IoEvent), std::memory_order_relaxed);
  return ring;
}

AioRing::~AioRing() { mm::put_pages({pages_.data(), pages_.size()}); }

// SAFETY: the words and events lie in pages that the ring holds; applications write them too, so that words
// are only read and written whole, and events are bytes.
std::atomic_ref<uint32_t> AioRing::word(Word index) const {
  return std::atomic_ref<uint32_t>(static_cast<uint32_t*>(mm::page_data(*pages_[0]))[index]);
}

IoEvent* AioRing::place(uint32_t slot) const {
  uint64_t at = (uint64_t{slot} + 1) * sizeof(IoEvent);
  return static_cast<IoEvent*>(mm::page_data(*pages_[at / mm::kPageSize])) +
         at % mm::kPageSize / sizeof(IoEvent);
}

uint32_t AioRing::head() const { return word(kHead).load(std::memory_order_acquire) % slots(); }
void AioRing::set_head(uint32_t head) { word(kHead).store(head, std::memory_order_release); }
void AioRing::set_tail(uint32_t tail) { word(kTail).store(tail, std::memory_order_release); }

IoEvent AioRing::event(uint32_t slot) const {
  IoEvent e;
  __builtin_memcpy(&e, place(slot), sizeof e);
  return e;
}

void AioRing::put(uint32_t slot, const IoEvent& event) {
  __builtin_memcpy(place(slot), &event, sizeof event);
}

Result<mm::MappedPage> AioRing::get_page(uint64_t offset, bool) {
  uint64_t i = offset / mm::kPageSize;
  if (i >= pages_.size()) return Errno::nxio;
  mm::get_page(*pages_[i]);
  return mm::MappedPage{mm::page_phys(*pages_[i]), pages_[i]};
}

void AioRing::mapped(mm::AddressSpace& space, uint64_t address, uint64_t offset, uint64_t) {
  if (&space == owner_ && offset == 0) address_.store(address, std::memory_order_relaxed);
}

}  // namespace runsc::kernel
