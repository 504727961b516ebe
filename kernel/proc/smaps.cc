// /proc/PID/smaps and smaps_rollup (proc_pid_smaps(5)).
#include "kernel/proc/proc.h"
#include "mm/page_table.h"

namespace runsc::kernel::proc {

namespace {

struct Sizes {  // bytes
  uint64_t size = 0, rss = 0, pss_fraction = 0, pss_anon = 0, pss_file = 0, pss_dirty = 0;
  uint64_t shared_clean = 0, shared_dirty = 0, private_clean = 0, private_dirty = 0;
  uint64_t referenced = 0, anonymous = 0, locked = 0;

  // Shares of pages are kept with 12 more bits.
  static constexpr unsigned kShift = 12;
  void add_page(mm::Pte pte);
  void add(const Sizes& o);
};

void Sizes::add_page(mm::Pte pte) {
  if (!pte.has_page() || mm::is_zero_page(pte.phys())) return;
  const mm::Page* page = mm::page_of_phys(pte.phys());
  // Pages of host files are not counted: who else maps them only the host knows.
  const uint64_t users = page ? page->map_count.load(std::memory_order_relaxed) : 1;
  const bool dirty = pte.anon() || pte.bits() & mm::Pte::kDirty;
  rss += mm::kPageSize;
  if (!pte.present() || pte.bits() & mm::Pte::kAccessed) referenced += mm::kPageSize;
  if (pte.anon()) anonymous += mm::kPageSize;
  const uint64_t share = (mm::kPageSize << kShift) / (users ? users : 1);
  pss_fraction += share;
  (pte.anon() ? pss_anon : pss_file) += share;
  if (dirty) pss_dirty += share;
  if (users > 1)
    (dirty ? shared_dirty : shared_clean) += mm::kPageSize;
  else
    (dirty ? private_dirty : private_clean) += mm::kPageSize;
}

void Sizes::add(const Sizes& o) {
  size += o.size, rss += o.rss, pss_fraction += o.pss_fraction, pss_anon += o.pss_anon,
      pss_file += o.pss_file;
  pss_dirty += o.pss_dirty, shared_clean += o.shared_clean, shared_dirty += o.shared_dirty;
  private_clean += o.private_clean, private_dirty += o.private_dirty;
  referenced += o.referenced, anonymous += o.anonymous, locked += o.locked;
}

Sizes sizes_of(mm::AddressSpace& space, const mm::Vma& v) {
  Sizes s;
  s.size = v.size();
  mm::for_each_table(space.user_space(), v.start, v.end, [&](mm::PteSlot slot, uint64_t, size_t count) {
    for (size_t i = 0; i < count; ++i) s.add_page((slot + i).load());
  });
  if (v.locked) s.locked = s.pss_fraction;
  return s;
}

void line(TextSink& out, std::string_view name, uint64_t bytes) {
  constexpr size_t kColumn = 16;
  out.write(name);
  for (size_t i = name.size(); i < kColumn; ++i) out.write(" ");
  format(out, "{:8} kB\n", bytes / 1024);
}

void show_sizes(const Sizes& s, bool rollup, TextSink& out) {
  line(out, "Rss:", s.rss);
  line(out, "Pss:", s.pss_fraction >> Sizes::kShift);
  line(out, "Pss_Dirty:", s.pss_dirty >> Sizes::kShift);
  if (rollup) {
    line(out, "Pss_Anon:", s.pss_anon >> Sizes::kShift);
    line(out, "Pss_File:", s.pss_file >> Sizes::kShift);
    line(out, "Pss_Shmem:", 0);
  }
  line(out, "Shared_Clean:", s.shared_clean);
  line(out, "Shared_Dirty:", s.shared_dirty);
  line(out, "Private_Clean:", s.private_clean);
  line(out, "Private_Dirty:", s.private_dirty);
  line(out, "Referenced:", s.referenced);
  line(out, "Anonymous:", s.anonymous);
  for (std::string_view none : {"LazyFree:", "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:",
                                "Shared_Hugetlb:", "Private_Hugetlb:", "Swap:", "SwapPss:"})
    line(out, none, 0);
  line(out, "Locked:", s.locked >> Sizes::kShift);
}

void show_flags(const mm::Vma& v, TextSink& out) {
  const struct {
    bool on;
    const char* name;
  } flags[] = {
      {mm::has(v.prot, mm::Prot::read), "rd"},
      {mm::has(v.prot, mm::Prot::write), "wr"},
      {mm::has(v.prot, mm::Prot::exec), "ex"},
      {v.shared, "sh"},
      {mm::has(v.max_prot, mm::Prot::read), "mr"},
      {mm::has(v.max_prot, mm::Prot::write), "mw"},
      {mm::has(v.max_prot, mm::Prot::exec), "me"},
      {v.shared, "ms"},
      {v.grows_down, "gd"},
      {v.locked, "lo"},
      {v.no_fork, "dc"},
      {v.no_dump, "dd"},
      {v.wipe_on_fork, "wf"},
  };
  out.write("VmFlags: ");
  for (const auto& f : flags)
    if (f.on) format(out, "{} ", f.name);
  out.write("\n");
}

}  // namespace

Result<void> show_smaps(Task& task, TextSink& out) {
  Ref<mm::AddressSpace> space = task.mm_ref();
  if (!space) return {};
  space->for_each_vma(0, [&](const mm::Vma& v) {
    show_map_line(v, out);
    line(out, "Size:", v.size());
    line(out, "KernelPageSize:", mm::kPageSize);
    line(out, "MMUPageSize:", mm::kPageSize);
    show_sizes(sizes_of(*space, v), false, out);
    format(out, "THPeligible:{:12}\n", 0);
    show_flags(v, out);
    return true;
  });
  return {};
}

Result<void> show_smaps_rollup(Task& task, TextSink& out) {
  Ref<mm::AddressSpace> space = task.mm_ref();
  if (!space) return Errno::srch;
  Sizes total;
  uint64_t first = 0, last = 0;
  space->for_each_vma(0, [&](const mm::Vma& v) {
    if (last == 0) first = v.start;
    last = v.end;
    total.add(sizes_of(*space, v));
    return true;
  });
  format(out, "{:08x}-{:08x} ---p 00000000 00:00 0                          [rollup]\n", first, last);
  show_sizes(total, true, out);
  return {};
}

}  // namespace runsc::kernel::proc
