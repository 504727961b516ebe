// /proc/PID/pagemap, numa_maps, clear_refs: proc_pid_pagemap(5), proc_pid_numa_maps(5),
// proc_pid_clear_refs(5).
#include <algorithm>

#include "kernel/proc/task_files.h"
#include "mm/page_table.h"

namespace runsc::kernel::proc {

namespace {

constexpr int kSeekSet = 0, kSeekCur = 1;

// ---- pagemap

constexpr uint64_t kEntrySize = 8;
constexpr uint64_t kExclusive = uint64_t{1} << 56, kFilePage = uint64_t{1} << 61, kHere = uint64_t{1} << 63;

// Nothing is ever swapped out, and nobody keeps track of what was written (bit 55), as in a kernel without
// CONFIG_MEM_SOFT_DIRTY. Who else maps pages of host files only the host knows.
uint64_t entry_of(mm::Pte pte, bool show_frame) {
  if (!pte.has_page()) return 0;
  uint64_t entry = kHere | (show_frame ? pte.phys() / mm::kPageSize : 0);
  if (mm::is_zero_page(pte.phys())) return entry;
  if (!pte.anon()) entry |= kFilePage;
  const mm::Page* page = mm::page_of_phys(pte.phys());
  if (page && page->map_count.load(std::memory_order_relaxed) == 1) entry |= kExclusive;
  return entry;
}

// Of the program that ran when it was opened, as /proc/PID/mem.
class PagemapFile final : public fs::File {
 public:
  PagemapFile(uint32_t flags, Ref<fs::Inode> node, Ref<Task> task)
      : File(flags, std::move(node)),
        task_(std::move(task)),
        program_(task_->group().exec_count.load()),
        show_frames_(Task::current().creds().has(fs::Cap::sys_admin)) {}

  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    if (whence == kSeekSet) return static_cast<uint64_t>(offset);
    if (whence == kSeekCur) return current + static_cast<uint64_t>(offset);
    return Errno::inval;
  }
  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override {
    Ref<mm::AddressSpace> space = task_->mm_ref();
    if (!space || task_->group().exec_count.load() != program_) return size_t{0};
    if (offset % kEntrySize || buf.remaining() % kEntrySize) return Errno::inval;
    uint64_t at = offset / kEntrySize;
    const uint64_t last = arch::kUserEnd / mm::kPageSize;
    size_t done = 0;
    while (buf.remaining() > 0 && at < last) {
      uint64_t entries[64];
      const auto n = static_cast<size_t>(
          std::min({uint64_t{64}, last - at, static_cast<uint64_t>(buf.remaining() / kEntrySize)}));
      fill(*space, at * mm::kPageSize, {entries, n});
      done += TRY(buf.put(entries, n * kEntrySize));
      at += n;
    }
    return done;
  }

 private:
  void fill(mm::AddressSpace& space, uint64_t address, std::span<uint64_t> out) const {
    const uint64_t end = address + out.size() * mm::kPageSize;
    for (uint64_t& entry : out) entry = 0;
    space.for_each_vma(address, [&](const mm::Vma& v) {
      if (v.start >= end) return false;
      mm::for_each_table(space.user_space(), std::max(v.start, address), std::min(v.end, end),
                         [&](mm::PteSlot slot, uint64_t from, size_t n) {
                           for (size_t i = 0; i < n; ++i)
                             out[(from - address) / mm::kPageSize + i] =
                                 entry_of((slot + i).load(), show_frames_);
                         });
      return true;
    });
  }

  const Ref<Task> task_;
  const int32_t program_;
  const bool show_frames_;
};

class PagemapNode final : public fs::PseudoInode {
 public:
  PagemapNode(fs::PseudoSuper& super, Ref<Task> task)
      : PseudoInode(super, fs::kRegular | 0400), task_(std::move(task)) {
    if (Ref<fs::Credentials> c = task_->creds_ref()) set_owner(c->euid, c->egid);
  }
  Result<Ref<fs::File>> open(uint32_t flags) override {
    if (!may_inspect(*task_)) return Errno::acces;
    Ref<fs::File> file = make_ref<PagemapFile>(flags, Ref<fs::Inode>(*this), task_);
    if (!file) return Errno::nomem;
    return file;
  }

 private:
  const Ref<Task> task_;
};

// ---- numa_maps: one node, and no policies but the default

struct Counts {
  uint64_t pages = 0, anon = 0, dirty = 0, most_users = 0;
};

Counts counts_of(mm::AddressSpace& space, const mm::Vma& v) {
  Counts c;
  mm::for_each_table(space.user_space(), v.start, v.end, [&](mm::PteSlot slot, uint64_t, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      const mm::Pte pte = (slot + i).load();
      if (!pte.has_page() || mm::is_zero_page(pte.phys())) continue;
      const mm::Page* page = mm::page_of_phys(pte.phys());
      const uint64_t users = page ? page->map_count.load(std::memory_order_relaxed) : 1;
      ++c.pages;
      if (pte.anon()) ++c.anon;
      if (pte.anon() || pte.bits() & mm::Pte::kDirty) ++c.dirty;
      c.most_users = std::max(c.most_users, users);
    }
  });
  return c;
}

void show_numa_line(mm::AddressSpace& space, const mm::Vma& v, TextSink& out) {
  format(out, "{:08x} default", v.start);
  if (v.file) {
    out.write(" file=");
    v.file->describe(out);
  } else if (v.name) {
    std::string_view name = v.name;
    if (name == "[heap]") out.write(" heap");
    if (name == "[stack]") out.write(" stack");
  }
  const Counts c = counts_of(space, v);
  if (c.pages > 0) {
    if (c.anon > 0) format(out, " anon={}", c.anon);
    if (c.dirty > 0) format(out, " dirty={}", c.dirty);
    if (c.pages != c.anon && c.pages != c.dirty) format(out, " mapped={}", c.pages);
    if (c.most_users > 1) format(out, " mapmax={}", c.most_users);
    format(out, " N0={} kernelpagesize_kB={}", c.pages, mm::kPageSize / 1024);
  }
  out.write("\n");
}

Result<void> show_numa_maps(Task& task, TextSink& out) {
  Ref<mm::AddressSpace> space = task.mm_ref();
  if (!space) return {};
  space->for_each_vma(0, [&](const mm::Vma& v) {
    show_numa_line(*space, v, out);
    return true;
  });
  return {};
}

// ---- clear_refs

Result<void> store_clear_refs(Task& task, std::string_view text) {
  using Refs = mm::AddressSpace::Refs;
  constexpr uint64_t kAll = 1, kFile = 3, kSoftDirty = 4, kPeak = 5;
  const uint64_t what = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (what < kAll || what > kPeak) return Errno::inval;
  Ref<mm::AddressSpace> space = task.mm_ref();
  if (!space || what == kSoftDirty) return {};
  if (what == kPeak)
    space->reset_peak_resident();
  else
    space->clear_referenced(what == kAll ? Refs::all : what == kFile ? Refs::file : Refs::anonymous);
  return {};
}

Result<void> nothing_to_show(Task&, TextSink&) { return {}; }

// ---- autogroup (sched(7)): there are no groups of this kind, as under a cgroup of the CPU controller

Result<void> store_autogroup(Task& task, std::string_view text) {
  text = fs::trimmed(text);
  const bool negative = text.starts_with('-');
  const uint64_t nice = TRY(fs::parse_decimal(negative ? text.substr(1) : text));
  if (nice > (negative ? 20 : 19)) return Errno::inval;
  const auto limit = task.limit(static_cast<unsigned>(Resource::nice));
  if (negative && nice > 0 && !Task::current().creds().has(fs::Cap::sys_nice) && limit < 20 + nice)
    return Errno::perm;
  return {};
}

constexpr TaskTextRow kBoth[] = {
    {"clear_refs", 0200, nothing_to_show, false, store_clear_refs},
    {"numa_maps", 0444, show_numa_maps, true},
};
constexpr TaskTextRow kProcess[] = {
    {"autogroup", 0644, nothing_to_show, false, store_autogroup},
};

}  // namespace

Result<Ref<fs::Inode>> make_pagemap_node(fs::PseudoSuper& super, Ref<Task> task) {
  Ref<fs::Inode> node = make_ref<PagemapNode>(super, std::move(task));
  if (!node) return Errno::nomem;
  return node;
}

std::span<const TaskTextRow> memory_files() { return kBoth; }
std::span<const TaskTextRow> process_memory_files() { return kProcess; }

}  // namespace runsc::kernel::proc
