#include "kernel/base/check.h"
#include "net/inet/port_table.h"

namespace runsc::net {

namespace {
constexpr size_t kFirstBuckets = 64, kMostBuckets = 1 << 16;
}

PortEntry::~PortEntry() { DCHECK(state_ == State::unlisted, "a socket ends while it has a name"); }

PortHash::~PortHash() {
  if (buckets_) kfree(buckets_, (mask_ + 1) * sizeof *buckets_);
}

PortEntry* PortHash::next(const PortEntry& entry) const { return (entry.*hook_).next; }
bool PortHash::has(const PortEntry& entry) const { return (entry.*hook_).at != nullptr; }

Result<void> PortHash::make_room() {
  const size_t old = bucket_count();
  if (old && (count_ < old * 2 || old >= kMostBuckets)) return {};
  const size_t fresh = old ? old * 4 : kFirstBuckets;
  auto** buckets = static_cast<PortEntry**>(kalloc(fresh * sizeof(PortEntry*)));
  if (!buckets) return old ? Result<void>() : Errno::nomem;  // long chains do as well
  for (size_t i = 0; i < fresh; ++i) buckets[i] = nullptr;
  PortEntry** const gone = buckets_;
  buckets_ = buckets;
  mask_ = fresh - 1;
  count_ = 0;
  for (size_t i = 0; i < old; ++i) {
    // Last ones first, so that each chain keeps its order.
    PortEntry* reversed = nullptr;
    for (PortEntry* e = gone[i]; e;) {
      PortEntry* following = (e->*hook_).next;
      (e->*hook_).next = reversed;
      reversed = e;
      e = following;
    }
    for (PortEntry* e = reversed; e;) {
      PortEntry* following = (e->*hook_).next;
      insert(*e, hook_ == &PortEntry::tuple_hook_ ? e->tuple_hash_ : e->port_hash_);
      e = following;
    }
  }
  if (gone) kfree(gone, old * sizeof *gone);
  return {};
}

void PortHash::insert(PortEntry& entry, uint64_t hash) {
  PortHook& hook = entry.*hook_;
  PortEntry** head = &buckets_[hash & mask_];
  hook.next = *head;
  hook.at = head;
  if (*head) ((*head)->*hook_).at = &hook.next;
  *head = &entry;
  ++count_;
}

void PortHash::remove(PortEntry& entry) {
  PortHook& hook = entry.*hook_;
  if (!hook.at) return;
  *hook.at = hook.next;
  if (hook.next) (hook.next->*hook_).at = hook.at;
  hook = {};
  --count_;
}

}  // namespace runsc::net
