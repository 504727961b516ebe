// The ring of events that io_setup(2) maps into the process: libaio takes events out of it without a system
// call. Its head is the application's to move, and its bytes are the application's to spoil; what the sentry
// needs to trust it keeps elsewhere.
#pragma once

#include <atomic>

#include "kernel/base/ref.h"
#include "kernel/base/vec.h"
#include "mm/mappable.h"

namespace runsc::mm {
class AddressSpace;
}

namespace runsc::kernel {

struct IoEvent {  // struct io_event
  uint64_t data, object;
  int64_t result, result2;
};
static_assert(sizeof(IoEvent) == 32);

class AioRing final : public RefCounted<AioRing>, public mm::Mappable {
 public:
  // With places for `events` at least; follows its mapping in `owner`. ENOMEM.
  static Result<Ref<AioRing>> create(mm::AddressSpace& owner, uint32_t events, uint32_t id);
  ~AioRing() override;

  uint64_t size() const { return pages_.size() * mm::kPageSize; }
  uint32_t slots() const { return static_cast<uint32_t>(size() / sizeof(IoEvent)) - 1; }
  // Where it is mapped, also after mremap(2). 0: nowhere yet.
  uint64_t address() const { return address_.load(std::memory_order_relaxed); }

  uint32_t head() const;  // always < slots()
  void set_head(uint32_t head);
  void set_tail(uint32_t tail);
  IoEvent event(uint32_t slot) const;
  void put(uint32_t slot, const IoEvent& event);

  void ref_mappable() override { ref(); }
  void unref_mappable() override { unref(); }
  Result<mm::MappedPage> get_page(uint64_t offset, bool write) override;
  void describe(TextSink& out) const override { out.write("/[aio] (deleted)"); }
  uint64_t device() const override { return 1; }
  uint64_t inode_number() const override { return number_; }
  bool tracks_writes() const override { return false; }
  void mapped(mm::AddressSpace& space, uint64_t address, uint64_t offset, uint64_t size) override;

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit AioRing(mm::AddressSpace& owner);
  enum Word : uint32_t { kId, kSlots, kHead, kTail, kMagic, kCompatible, kIncompatible, kHeader };
  std::atomic_ref<uint32_t> word(Word index) const;
  IoEvent* place(uint32_t slot) const;

  const mm::AddressSpace* const owner_;  // an address, never looked behind
  const uint64_t number_;
  Vec<mm::Page*> pages_;
  std::atomic<uint64_t> address_{0};
};

}  // namespace runsc::kernel
