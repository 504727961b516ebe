#include "fs/mapping_list.h"

#include "fs/mount.h"
#include "kernel/base/log.h"

namespace runsc::fs {

void MappingList::mapped(mm::AddressSpace& space) {
  LockGuard guard(lock_);
  total_.fetch_add(1, std::memory_order_acq_rel);
  for (Entry& e : entries_)
    if (e.space == &space) {
      ++e.count;
      return;
    }
  // Without an entry truncation cannot reach the PTEs; their pages stay alive all the same.
  if (!entries_.push_back({&space, 1, round_})) log_error("fs: no memory to note a mapping");
}

void MappingList::unmapped(mm::AddressSpace& space) {
  Path gone;
  LockGuard guard(lock_);
  if (total_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    std::swap(gone.mount, name_.mount);
    std::swap(gone.dentry, name_.dentry);
  }
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].space != &space) continue;
    if (--entries_[i].count == 0) {
      std::swap(entries_[i], entries_.back());
      entries_.pop_back();
    }
    return;
  }
}

void MappingList::unmap(const mm::Mappable& file, uint64_t offset, uint64_t size, bool even_private_copies) {
  if (!any()) return;
  uint32_t round = 0;
  for (bool first = true;; first = false) {
    Ref<mm::AddressSpace> space;
    {
      LockGuard guard(lock_);
      if (first) round = ++round_;
      for (Entry& e : entries_) {
        if (e.round == round) continue;
        e.round = round;
        if (!e.space->try_ref()) continue;  // ending: it unmaps everything itself
        space = Ref<mm::AddressSpace>::adopt(e.space);
        break;
      }
    }
    if (!space) return;
    space->unmap_file_range(file, offset, size, even_private_copies);
  }
}

void MappingList::set_name(const Path& path) {
  Path fresh = path;
  LockGuard guard(lock_);
  if (name_) return;
  std::swap(name_.mount, fresh.mount);
  std::swap(name_.dentry, fresh.dentry);
}

void MappingList::forget_unused_name() {
  Path gone;
  LockGuard guard(lock_);
  if (any()) return;
  std::swap(gone.mount, name_.mount);
  std::swap(gone.dentry, name_.dentry);
}

void MappingList::describe(TextSink& out) const {
  Path path;
  {
    LockGuard guard(lock_);
    path = name_;
  }
  if (!path) return;
  Result<String> name = path_name(path, {});
  if (name) out.write(name->view());
}

}  // namespace runsc::fs
