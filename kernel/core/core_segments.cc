#include "kernel/core/core_segments.h"

#include "kernel/abi/elf.h"
#include "kernel/core/core_dump.h"
#include "mm/page_table.h"

namespace runsc::kernel {

namespace {

constexpr size_t kMostSegments = 65000;  // their number has 16 bits

// Has anything been written to it?
bool has_private_pages(mm::AddressSpace& space, const mm::Vma& v) {
  bool any = false;
  mm::for_each_table(space.user_space(), v.start, v.end, [&](mm::PteSlot slot, uint64_t, size_t count) {
    for (size_t i = 0; i < count && !any; ++i) {
      const mm::Pte pte = (slot + i).load();
      any = pte.has_page() && pte.anon() && !mm::is_zero_page(pte.phys());
    }
  });
  return any;
}

enum class Part : uint8_t { none, whole, head };

// Memory that is nobody else's, of the vDSO too, the beginnings of programs; of files as the filter asks.
Part part_of(mm::AddressSpace& space, const mm::Vma& v, uint32_t filter) {
  const std::string_view name = v.name ? v.name : "";
  if (name == "[vdso]") return Part::whole;
  if (v.no_dump || name == "[vvar]") return Part::none;
  if (v.shared) {
    constexpr uint64_t kKernelsOwn = 1;  // shared anonymous memory, System V segments
    const bool anon = !v.file || v.file->device() == kKernelsOwn;
    return filter & (anon ? core_filter::anon_shared : core_filter::mapped_shared) ? Part::whole : Part::none;
  }
  if (filter & core_filter::anon_private && has_private_pages(space, v)) return Part::whole;
  if (!v.file) return Part::none;
  if (filter & core_filter::mapped_private) return Part::whole;
  return filter & core_filter::elf_headers && v.offset == 0 && mm::has(v.prot, mm::Prot::read) ? Part::head
                                                                                               : Part::none;
}

uint32_t flags_of(const mm::Vma& v) {
  return (mm::has(v.prot, mm::Prot::read) ? abi::kPfR : 0) |
         (mm::has(v.prot, mm::Prot::write) ? abi::kPfW : 0) |
         (mm::has(v.prot, mm::Prot::exec) ? abi::kPfX : 0);
}

bool begins_program(mm::AddressSpace& space, uint64_t address) {
  constexpr uint32_t kMagic = 0x464c457f;
  uint32_t word = 0;
  auto got = space.read_remote(address, std::as_writable_bytes(std::span(&word, 1)));
  return got && *got == sizeof word && word == kMagic;
}

}  // namespace

Result<CoreSegments> CoreSegments::of(Task& task) {
  CoreSegments all;
  const uint32_t filter = task.group().core_filter.load(std::memory_order_relaxed);
  bool full = false;
  mm::AddressSpace& space = task.mm();
  Vec<bool> heads;
  space.for_each_vma(0, [&](const mm::Vma& v) {
    CoreSegment s;
    s.start = v.start;
    s.end = v.end;
    const Part part = part_of(space, v, filter);
    s.dumped = part == Part::whole ? v.size() : part == Part::head ? mm::kPageSize : 0;
    s.flags = flags_of(v);
    s.is_file = v.file && !v.name;
    s.file_offset = v.offset;
    if (s.is_file) {
      v.file->describe(all.names_);
      all.names_.write(std::string_view("", 1));
    }
    full = !all.list_.push_back(s) || !heads.push_back(part == Part::head);
    return !full && all.list_.size() < kMostSegments;
  });
  if (full) return Errno::nomem;
  TRY(all.names_.status());
  for (size_t i = 0; i < heads.size(); ++i)
    if (heads[i] && !begins_program(space, all.list_[i].start)) all.list_[i].dumped = 0;
  return all;
}

}  // namespace runsc::kernel
