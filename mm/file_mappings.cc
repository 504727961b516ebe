// From a file to the spaces that map it.
#include "mm/address_space.h"
#include "mm/mappable.h"
#include "mm/vma.h"
#include "mm/write_mappings.h"

namespace runsc::mm {
namespace {
// Walks over the VMAs of a file mark whom they have visited; one walk at a time.
constinit Mutex g_walk_lock;
constinit uint64_t g_visit GUARDED_BY(g_walk_lock) = 0;
}  // namespace

void FileMappings::add(Vma& v) {
  if (!v.file) return;
  Mappable& file = *v.file.get();
  LockGuard guard(file.vmas_lock_);
  v.prev_of_file = nullptr;
  v.next_of_file = file.vmas_;
  if (file.vmas_) file.vmas_->prev_of_file = &v;
  file.vmas_ = &v;
}

void FileMappings::remove(Vma& v) {
  if (!v.file) return;
  Mappable& file = *v.file.get();
  LockGuard guard(file.vmas_lock_);
  (v.prev_of_file ? v.prev_of_file->next_of_file : file.vmas_) = v.next_of_file;
  if (v.next_of_file) v.next_of_file->prev_of_file = v.prev_of_file;
  v.next_of_file = v.prev_of_file = nullptr;
}

Ref<AddressSpace> FileMappings::next_space(Mappable& file, uint64_t visit) {
  LockGuard guard(file.vmas_lock_);
  AddressSpace* found = nullptr;
  for (Vma* v = file.vmas_; v; v = v->next_of_file) {
    if (v->visit == visit || (found && v->space != found)) continue;
    v->visit = visit;
    // A space on its way out drops its pages itself, and nobody runs in it.
    if (!found && v->space->try_ref()) found = v->space;
  }
  return Ref<AddressSpace>::adopt(found);
}

bool FileMappings::any(Mappable& file) {
  LockGuard guard(file.vmas_lock_);
  return file.vmas_ != nullptr;
}

bool is_mapped(Mappable& file) { return FileMappings::any(file); }

namespace {
bool maps_for_writing(AddressSpace& space, const Mappable& file) {
  bool found = false;
  space.for_each_vma(0, [&](const Vma& v) {
    found = v.file.get() == &file && v.shared && has(v.max_prot, Prot::write);
    return !found;
  });
  return found;
}
}  // namespace

bool is_mapped_for_writing(Mappable& file) {
  uint64_t visit = 0;
  for (bool more = FileMappings::any(file); more;) {
    Ref<AddressSpace> visited[16];  // as below
    LockGuard guard(g_walk_lock);
    if (visit == 0) visit = ++g_visit;
    for (auto& space : visited) {
      space = FileMappings::next_space(file, visit);
      more = static_cast<bool>(space);
      if (!more) break;
      if (maps_for_writing(*space, file)) return true;
    }
  }
  return false;
}

void unmap_from_all(Mappable& file, uint64_t offset, uint64_t size, bool even_private_copies) {
  if (!FileMappings::any(file)) return;
  uint64_t visit = 0;
  for (bool more = true; more;) {
    // The last reference to a space drops files, which take locks that callers of other walks may hold: not
    // under ours. (Between two batches another walk may take marks away; those spaces are then visited
    // again.)
    Ref<AddressSpace> visited[16];
    LockGuard guard(g_walk_lock);
    if (visit == 0) visit = ++g_visit;
    for (auto& space : visited) {
      space = FileMappings::next_space(file, visit);
      more = static_cast<bool>(space);
      if (!more) break;
      space->unmap_file_range(file, offset, size, even_private_copies);
    }
  }
}

}  // namespace runsc::mm
