#include "kernel/loader/loader.h"

#include <algorithm>

#include "fs/notify.h"
#include "kernel/base/log.h"
#include "kernel/leases.h"
#include "kernel/loader/elf.h"
#include "kernel/loader/script.h"
#include "kernel/random.h"
#include "kernel/thread_group.h"
#include "kernel/vdso/vdso.h"
#include "mm/io_buf.h"
#include "mm/phys.h"

namespace runsc::kernel {

using namespace abi;
using mm::page_down;
using mm::page_up;

namespace {

constexpr uint64_t kPieBase = 0x555555554000;  // two thirds of the user half, as Linux
constexpr uint32_t kMapPrivate = 2, kMapFixed = 0x10, kMapFixedNoReplace = 0x100000;
constexpr uint32_t kAddrNoRandomize = 0x0040000;

// Page-aligned, below 2^bits pages.
uint64_t random_pages(Task& task, unsigned bits) {
  if (task.personality.load(std::memory_order_relaxed) & kAddrNoRandomize) return 0;
  return (random_u64() & ((uint64_t{1} << bits) - 1)) * mm::kPageSize;
}

Result<ElfImage> read_image(fs::File& file, std::span<const std::byte> head) {
  ElfHeader h = TRY(parse_elf_header(head));
  Vec<ElfSegment> segments;
  TRY(segments.resize(h.phnum));
  TRY(read_exact(file, h.phoff, std::as_writable_bytes(segments.span())));
  uint64_t size = TRY(file.get_attr()).size;
  return parse_elf_image(h, segments.span(), size);
}

struct Mapper {
  Task& task;
  LoadedProgram& program;
  fs::File& file;
  const ElfImage& image;
  mm::AddressSpaceLimits limits{};

  Result<uint64_t> map(uint64_t address, uint64_t size, mm::Prot prot, bool anonymous, uint64_t offset,
                       uint32_t flags) {
    mm::MmapRequest r;
    r.address = address;
    r.size = size;
    r.prot = prot;
    r.flags = kMapPrivate | flags | (anonymous ? 0x20 : 0);
    if (!anonymous) r.file = TRY(file.mappable(false));
    r.offset = offset;
    return program.space->mmap(std::move(r), limits);
  }

  // Takes the whole extent first, so that segments cannot land on other things.
  Result<uint64_t> reserve(uint64_t wanted, bool fixed) {
    uint64_t size = image.high - image.low;
    uint64_t room = fixed || image.max_align <= mm::kPageSize ? size : size + image.max_align;
    uint64_t at = TRY(map(wanted, room, mm::Prot::none, true, 0, fixed ? kMapFixedNoReplace : 0));
    if (room == size) return at;
    uint64_t aligned = (at + image.max_align - 1) & ~(image.max_align - 1);
    if (aligned > at) TRY(program.space->munmap(at, aligned - at));
    if (at + room > aligned + size) TRY(program.space->munmap(aligned + size, at + room - aligned - size));
    return aligned;
  }

  Result<void> map_segment(const ElfSegment& s, uint64_t bias) {
    mm::Prot prot{};
    if (s.flags & kPfR) prot = prot | mm::Prot::read;
    if (s.flags & kPfW) prot = prot | mm::Prot::write;
    if (s.flags & kPfX) prot = prot | mm::Prot::exec;
    uint64_t start = page_down(s.vaddr + bias);
    uint64_t file_end = s.vaddr + bias + s.filesz;
    uint64_t mem_end = s.vaddr + bias + s.memsz;
    if (s.filesz > 0) TRY(map(start, page_up(file_end) - start, prot, false, page_down(s.offset), kMapFixed));
    uint64_t anonymous = s.filesz > 0 ? page_up(file_end) : start;
    if (page_up(mem_end) > anonymous)
      TRY(map(anonymous, page_up(mem_end) - anonymous, prot, true, 0, kMapFixed));
    // What stands in the file behind the segment's last byte must not be seen.
    if (s.memsz > s.filesz && s.filesz > 0 && file_end & mm::kPageMask && (s.flags & kPfW))
      TRY(program.zeros.push_back({file_end, page_up(file_end) - file_end}));
    return {};
  }

  // The distance between addresses in the file and in memory.
  Result<uint64_t> map_all(uint64_t wanted, bool fixed) {
    uint64_t at = TRY(reserve(wanted, fixed));
    uint64_t bias = at - image.low;
    // Holes between segments stay inaccessible.
    for (const ElfSegment& s : image.loads) TRY(map_segment(s, bias));
    return bias;
  }
};

Result<uint64_t> map_interpreter(Task& task, LoadedProgram& program, const ElfImage& main_image) {
  Vec<char> name;
  TRY(name.resize(main_image.interpreter_size));
  TRY(read_exact(*program.file, main_image.interpreter_offset, std::as_writable_bytes(name.span())));
  if (name.back() != 0) return Errno::noexec;
  Ref<fs::File> file = TRY(open_executable(task, task.fs().cwd(), name.data(), 0));
  fs::ExecutionClaim claim = TRY(fs::ExecutionClaim::take(*file));  // while it is loaded
  std::byte head[sizeof(ElfHeader)];
  if (!read_exact(*file, 0, head)) return Errno::libbad;
  auto image = read_image(*file, head);
  if (!image) return image.error() == Errno::noexec ? Errno::libbad : image.error();
  if (!image->position_independent()) return Errno::libbad;
  Mapper mapper{task, program, *file, *image};
  uint64_t bias = TRY(mapper.map_all(0, false));
  program.base = bias;
  return image->header.entry + bias;
}

void note_layout(LoadedProgram& program, const ElfImage& image, uint64_t bias) {
  auto& l = program.layout;
  l.start_code = ~uint64_t{0};
  for (const ElfSegment& s : image.loads) {
    uint64_t start = s.vaddr + bias;
    l.start_code = std::min(l.start_code, start);
    if (s.flags & kPfX) l.end_code = std::max(l.end_code, start + s.filesz);
    if (start >= l.start_data) l.start_data = start;
    l.end_data = std::max(l.end_data, start + s.filesz);
    l.start_brk = std::max(l.start_brk, start + s.memsz);
  }
  l.start_brk = page_up(l.start_brk);
  l.brk = l.start_brk;
}

Result<LoadedProgram> map_program(Task& task, Ref<fs::File> file, const ElfImage& image) {
  LoadedProgram p;
  p.file = file;
  p.space = TRY(mm::AddressSpace::create());
  p.executable_stack = image.executable_stack;
  uint64_t stack_limit = task.limit(static_cast<unsigned>(Resource::stack));
  p.space->set_stack_limit(stack_limit);
  p.stack_top = arch::kUserEnd - mm::kPageSize - random_pages(task, 22);
  // Small at first; it grows on demand.
  mm::Prot stack_prot = mm::Prot::read | mm::Prot::write;
  if (image.executable_stack) stack_prot = stack_prot | mm::Prot::exec;
  TRY(p.space->map_stack(p.stack_top, 132 << 10, stack_prot));
  Mapper mapper{task, p, *file, image};
  uint64_t bias = 0;
  if (image.position_independent()) {
    uint64_t align = image.max_align - 1;
    uint64_t wanted = (kPieBase + random_pages(task, 28)) & ~align;
    bias = TRY(mapper.map_all(wanted, true));
  } else {
    bias = TRY(mapper.map_all(image.low, true));
  }
  note_layout(p, image, bias);
  p.layout.start_brk += random_pages(task, 13);
  p.layout.brk = p.layout.start_brk;
  p.program_entry = image.header.entry + bias;
  p.entry = p.program_entry;
  p.phdr = image.phdr_vaddr ? image.phdr_vaddr + bias : 0;
  p.phent = sizeof(ElfSegment);
  p.phnum = image.header.phnum;
  if (image.has_interpreter) p.entry = TRY(map_interpreter(task, p, image));
  p.vdso = TRY(vdso_map(*p.space));
  p.layout.vdso = p.vdso;
  return p;
}

}  // namespace

Result<void> read_exact(fs::File& file, uint64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    mm::IoBuf buf = mm::IoBuf::kernel(out);
    auto n = file.read(buf, offset);
    if (!n) return n.error() == Errno::isdir ? Errno::acces : n.error();
    if (*n == 0) return Errno::noexec;
    offset += *n;
    out = out.subspan(*n);
  }
  return {};
}

Result<Ref<fs::File>> open_executable(Task& task, const fs::Path& start, std::string_view path,
                                      uint32_t walk_flags) {
  fs::WalkContext context = task.walk_context();
  fs::Path at = TRY(fs::walk(context, start, path, walk_flags | fs::kFollow));
  if (fs::inode_of(at).type() == fs::kSymlink) return Errno::loop;  // the descriptor of one
  if (fs::inode_of(at).type() != fs::kRegular) return Errno::acces;
  if (fs::mount_flags(at) & fs::kMsNoexec) return Errno::acces;
  TRY(fs::check_access(task.creds(), at, fs::kExec));
  // May be executed, so the kernel may read it: permission to read is not asked.
  Ref<fs::Credentials> reader = TRY(task.creds().clone());
  reader->effective |= uint64_t{1} << static_cast<unsigned>(fs::Cap::dac_override);
  Ref<fs::File> file = TRY(past_leases(task, false, [&] {
    return fs::open_existing({task.fs(), *reader}, at, fs::open_flag::rdonly);
  }));
  fs::notify_file(*file, fs::notify_bit::open);
  return file;
}

Result<LoadedProgram> load_program(Task& task, Ref<fs::File> file, std::string_view path, Arguments& args) {
  constexpr int kMaxScripts = 5;
  String name = TRY(String::from(path));
  for (int depth = 0;; ++depth) {
    fs::ExecutionClaim claim = TRY(fs::ExecutionClaim::take(*file));
    std::byte head[kScriptHead] = {};
    size_t got = TRY(read_head(*file, head));
    fs::notify_file(*file, fs::notify_bit::access);
    auto line = parse_script(std::span(head, got));
    if (!line) return line.error();
    if (!line->is_script) {
      ElfImage image = TRY(read_image(*file, std::span(head, got)));
      LoadedProgram p = TRY(map_program(task, std::move(file), image));
      p.claim = std::move(claim);
      p.path = std::move(name);
      return p;
    }
    if (args.script_unreachable) return Errno::noent;
    if (depth == kMaxScripts) return Errno::loop;
    args.remove_first_arg();
    TRY(args.insert_arg(0, name.view()));
    if (!line->argument.empty()) TRY(args.insert_arg(0, line->argument));
    TRY(args.insert_arg(0, line->interpreter));
    name = TRY(String::from(line->interpreter));
    file = TRY(open_executable(task, task.fs().cwd(), name.view(), 0));
  }
}

}  // namespace runsc::kernel
