// The ELF file of a core dump (core(5), elf(5)): notes of the process and its threads, then its memory.
#include <algorithm>

#include "kernel/abi/elf.h"
#include "kernel/core/core_dump.h"
#include "kernel/core/core_segments.h"
#include "kernel/pid.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

using namespace abi;

namespace {

constexpr uint32_t kNtPrstatus = 1, kNtPrfpreg = 2, kNtPrpsinfo = 3, kNtAuxv = 6, kNtSiginfo = 0x53494749,
                   kNtFile = 0x46494c45, kNtXstate = 0x202;
constexpr uint16_t kElfCore = 4;
constexpr uint32_t kPtNote = 4;

// ---- Notes

struct TimeVal {
  int64_t sec, usec;
};
TimeVal time_of(uint64_t ns) {
  return {static_cast<int64_t>(ns / 1'000'000'000), static_cast<int64_t>(ns / 1000 % 1'000'000)};
}

struct Prstatus {  // struct elf_prstatus
  int32_t signo, code, error;
  int16_t cursig, pad;
  uint64_t pending, held;
  int32_t pid, ppid, pgrp, sid;
  TimeVal utime, stime, cutime, cstime;
  UserRegsStruct regs;
  int32_t has_fp, pad2;
};
static_assert(sizeof(Prstatus) == 336);

struct Prpsinfo {  // struct elf_prpsinfo
  char state, state_letter, zombie, nice;
  int32_t pad;
  uint64_t flags;
  uint32_t uid, gid;
  int32_t pid, ppid, pgrp, sid;
  char name[16];
  char arguments[80];
};
static_assert(sizeof(Prpsinfo) == 136);

class Notes {
 public:
  Result<void> add(std::string_view owner, uint32_t type, const void* data, size_t size) {
    const uint32_t head[3] = {static_cast<uint32_t>(owner.size() + 1), static_cast<uint32_t>(size), type};
    TRY(append(head, sizeof head));
    TRY(append(owner.data(), owner.size()));
    TRY(pad(head[0] - owner.size() + (4 - head[0] % 4) % 4));
    TRY(append(data, size));
    return pad((4 - size % 4) % 4);
  }
  std::span<const std::byte> bytes() const { return {bytes_.data(), bytes_.size()}; }

 private:
  Result<void> append(const void* data, size_t size) {
    const size_t at = bytes_.size();
    TRY(bytes_.resize(at + size));
    __builtin_memcpy(bytes_.data() + at, data, size);
    return {};
  }
  Result<void> pad(size_t n) { return bytes_.resize(bytes_.size() + n); }

  Vec<std::byte> bytes_;
};

struct Family {
  int32_t parent, group, session;
};
Family family_of(ThreadGroup& g) { return {g.parent_pid.load(), g.pgid.load(), g.sid.load()}; }

Result<void> add_thread(Notes& notes, ThreadGroup& group, const CoreThread& t, const SigInfo& info) {
  const Family family = family_of(group);
  Prstatus s{};
  s.signo = s.cursig = static_cast<int16_t>(info.signo);
  s.pending = t.pending;
  s.held = t.blocked;
  s.pid = t.tid;
  s.ppid = family.parent, s.pgrp = family.group, s.sid = family.session;
  s.utime = time_of(t.user_ns);
  s.stime = time_of(t.system_ns);
  s.regs = t.regs;
  s.has_fp = 1;
  return notes.add("CORE", kNtPrstatus, &s, sizeof s);
}

Result<void> add_vectors(Notes& notes, const CoreThread& t) {
  Vec<std::byte> legacy;
  TRY(legacy.resize(kFxsaveSize));
  __builtin_memcpy(legacy.data(), t.xstate.data(), kFxsaveSize);
  strip_to_fxsave(legacy.span());
  TRY(notes.add("CORE", kNtPrfpreg, legacy.data(), kFxsaveSize));
  return notes.add("LINUX", kNtXstate, t.xstate.data(), t.xstate.size());
}

Result<void> add_process(Notes& notes, Task& task) {
  const Family family = family_of(task.group());
  Prpsinfo p{};
  p.state_letter = 'R';
  p.nice = static_cast<char>(task.sched.nice.load(std::memory_order_relaxed));
  p.uid = task.creds().uid, p.gid = task.creds().gid;
  p.pid = task.pid();
  p.ppid = family.parent, p.pgrp = family.group, p.sid = family.session;
  const Task::Comm comm = task.comm();
  std::copy(std::begin(comm.text), std::end(comm.text), p.name);
  const auto layout = task.mm().layout();
  const size_t want = std::min<size_t>(sizeof p.arguments - 1, layout.arg_end - layout.arg_start);
  auto got = task.mm().read_remote(layout.arg_start, std::as_writable_bytes(std::span(p.arguments, want)));
  for (size_t i = 0; got && i < *got; ++i)
    if (p.arguments[i] == 0) p.arguments[i] = ' ';
  return notes.add("CORE", kNtPrpsinfo, &p, sizeof p);
}

Result<void> add_auxv(Notes& notes, Task& task) {
  const uint64_t start = task.group().auxv_start.load(), end = task.group().auxv_end.load();
  constexpr uint64_t kMost = 4096;
  Vec<std::byte> words;
  TRY(words.resize(std::min(end - start, kMost)));
  (void)task.mm().read_remote(start, words.span());
  return notes.add("CORE", kNtAuxv, words.data(), words.size());
}

Result<void> add_files(Notes& notes, const CoreSegments& segments) {
  Vec<std::byte> data;
  uint64_t count = 0;
  for (const CoreSegment& s : segments.list()) count += s.is_file;
  TRY(data.resize((2 + 3 * count) * sizeof(uint64_t) + segments.names().size()));
  auto* word = reinterpret_cast<uint64_t*>(data.data());
  *word++ = count;
  *word++ = mm::kPageSize;
  for (const CoreSegment& s : segments.list()) {
    if (!s.is_file) continue;
    *word++ = s.start;
    *word++ = s.end;
    *word++ = s.file_offset / mm::kPageSize;
  }
  std::copy(segments.names().begin(), segments.names().end(), reinterpret_cast<char*>(word));
  return count ? notes.add("CORE", kNtFile, data.data(), data.size()) : Result<void>();
}

// The thread that died comes first, with what is said of the whole process behind its status.
Result<void> add_all(Notes& notes, Task& task, const SigInfo& info, const CoreDump& dump,
                     const CoreSegments& segments) {
  bool first = true;
  for (const CoreThread& t : dump.threads) {
    TRY(add_thread(notes, task.group(), t, info));
    if (first) {
      TRY(add_process(notes, task));
      TRY(notes.add("CORE", kNtSiginfo, &info, sizeof info));
      TRY(add_auxv(notes, task));
      TRY(add_files(notes, segments));
    }
    first = false;
    TRY(add_vectors(notes, t));
  }
  return {};
}

// ---- The file

class Writer {
 public:
  Writer(Task& task, fs::File& file) : task_(task), file_(file), limit_(task.limit(kCoreLimit)) {}

  Result<void> put(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      if (at_ + bytes.size() > limit_) return Errno::nospc;
      TRY(check_killed());
      mm::IoBuf buf = mm::IoBuf::kernel({const_cast<std::byte*>(bytes.data()), bytes.size()});
      const size_t n = TRY(file_.write(buf, at_));
      if (n == 0) return Errno::io;
      at_ += n;
      end_ = at_;
      bytes = bytes.subspan(n);
    }
    return {};
  }
  void skip_to(uint64_t offset) { at_ = offset; }
  void skip(uint64_t size) { at_ += size; }
  // A hole at the end needs something behind it.
  Result<void> finish() {
    const std::byte zero{};
    if (at_ != end_) {
      --at_;
      TRY(put({&zero, 1}));
    }
    return {};
  }

 private:
  static constexpr unsigned kCoreLimit = static_cast<unsigned>(Resource::core);

  Result<void> check_killed() {
    LockGuard guard(task_.group().signal_lock);
    uint64_t pending = task_.signals.queue.pending() | task_.group().queue.pending();
    return pending & sig_bit(sig::kill) ? Errno::intr : Result<void>();
  }

  Task& task_;
  fs::File& file_;
  const uint64_t limit_;
  uint64_t at_ = 0, end_ = 0;
};

Result<void> put_headers(Writer& out, const CoreSegments& segments, uint64_t notes_at, uint64_t notes_size,
                         uint64_t memory_at) {
  ElfHeader e{};
  const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
  std::copy(std::begin(ident), std::end(ident), e.ident);
  e.type = kElfCore;
  e.machine = kElfX8664;
  e.version = 1;
  e.phoff = sizeof e;
  e.ehsize = sizeof e;
  e.phentsize = sizeof(ElfSegment);
  e.phnum = static_cast<uint16_t>(segments.list().size() + 1);
  TRY(out.put(std::as_bytes(std::span(&e, 1))));
  ElfSegment note{};
  note.type = kPtNote;
  note.offset = notes_at;
  note.filesz = notes_size;
  note.align = 4;
  TRY(out.put(std::as_bytes(std::span(&note, 1))));
  for (const CoreSegment& s : segments.list()) {
    ElfSegment p{};
    p.type = kPtLoad;
    p.flags = s.flags;
    p.offset = memory_at;
    p.vaddr = s.start;
    p.filesz = s.dumped;
    p.memsz = s.end - s.start;
    p.align = mm::kPageSize;
    TRY(out.put(std::as_bytes(std::span(&p, 1))));
    memory_at += s.dumped;
  }
  return {};
}

bool is_zero(std::span<const std::byte> page) {
  return std::all_of(page.begin(), page.end(), [](std::byte b) { return b == std::byte{0}; });
}

// What was never touched, and what holds nothing, becomes a hole.
Result<void> put_memory(Writer& out, mm::AddressSpace& space, const CoreSegment& s) {
  Vec<std::byte> page;
  TRY(page.resize(mm::kPageSize));
  for (uint64_t at = s.start; at < s.start + s.dumped; at += mm::kPageSize) {
    uint8_t resident = 1;
    if (!s.is_file) (void)space.mincore(at, {&resident, 1});
    auto got = resident ? space.read_remote(at, page.span()) : Result<size_t>(Errno::io);
    if (!got || *got != mm::kPageSize || is_zero({page.data(), page.size()}))
      out.skip(mm::kPageSize);
    else
      TRY(out.put({page.data(), page.size()}));
  }
  return {};
}

}  // namespace

Result<void> write_core(Task& task, fs::File& file, const SigInfo& info, const CoreDump& dump) {
  CoreSegments segments = TRY(CoreSegments::of(task));
  Notes notes;
  TRY(add_all(notes, task, info, dump, segments));
  const uint64_t notes_at = sizeof(ElfHeader) + (segments.list().size() + 1) * sizeof(ElfSegment);
  const uint64_t memory_at = mm::page_up(notes_at + notes.bytes().size());
  Writer out(task, file);
  TRY(put_headers(out, segments, notes_at, notes.bytes().size(), memory_at));
  TRY(out.put(notes.bytes()));
  out.skip_to(memory_at);
  for (const CoreSegment& s : segments.list()) TRY(put_memory(out, task.mm(), s));
  return out.finish();
}

}  // namespace runsc::kernel
