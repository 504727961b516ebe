#include "kernel/loader/elf.h"

#include "mm/phys.h"

namespace runsc::kernel {

using namespace abi;
using mm::page_down;
using mm::page_up;

Result<ElfHeader> parse_elf_header(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(ElfHeader)) return Errno::noexec;
  ElfHeader h;
  __builtin_memcpy(&h, bytes.data(), sizeof h);
  static const uint8_t kMagic[6] = {0x7f, 'E', 'L', 'F', 2 /* 64 bit */, 1 /* little endian */};
  if (__builtin_memcmp(h.ident, kMagic, sizeof kMagic) != 0) return Errno::noexec;
  if (h.type != kElfExec && h.type != kElfDyn) return Errno::noexec;
  if (h.machine != kElfX8664) return Errno::noexec;
  if (h.phentsize != sizeof(ElfSegment) || h.phnum == 0) return Errno::noexec;
  if (size_t{h.phnum} * sizeof(ElfSegment) > kMaxSegmentBytes) return Errno::noexec;
  return h;
}

namespace {

// Where no user mapping can end.
constexpr uint64_t kUserLimit = 0x7ffffffff000;

Result<void> check_load(const ElfSegment& s, const ElfImage& image) {
  uint64_t end = 0, file_end = 0;
  if (s.filesz > s.memsz) return Errno::inval;
  if (__builtin_add_overflow(s.vaddr, s.memsz, &end) || end > kUserLimit) return Errno::inval;
  if (__builtin_add_overflow(s.offset, s.filesz, &file_end) || file_end > uint64_t{1} << 62)
    return Errno::inval;
  if ((s.vaddr ^ s.offset) & mm::kPageMask) return Errno::inval;
  if (!image.loads.empty() && s.vaddr < image.loads[image.loads.size() - 1].vaddr) return Errno::inval;
  return {};
}

Result<void> add_load(ElfImage& image, const ElfSegment& s) {
  if (s.memsz == 0) return {};
  TRY(check_load(s, image));
  if (image.loads.empty()) image.low = page_down(s.vaddr);
  uint64_t high = page_up(s.vaddr + s.memsz);
  if (high > image.high) image.high = high;
  if (s.align > image.max_align && (s.align & (s.align - 1)) == 0 && s.align <= uint64_t{1} << 30)
    image.max_align = s.align;
  uint64_t phoff = image.header.phoff;
  if (s.offset <= phoff && phoff < s.offset + s.filesz) image.phdr_vaddr = phoff - s.offset + s.vaddr;
  return image.loads.push_back(s);
}

}  // namespace

Result<ElfImage> parse_elf_image(const ElfHeader& header, std::span<const ElfSegment> segments,
                                 uint64_t file_size) {
  ElfImage image;
  image.header = header;
  for (const ElfSegment& s : segments) {
    switch (s.type) {
      case kPtLoad:
        TRY(add_load(image, s));
        break;
      case kPtInterp:
        if (image.has_interpreter) break;
        if (s.filesz < 2 || s.filesz > 4096 || s.offset > file_size || file_size - s.offset < s.filesz)
          return Errno::noexec;
        image.has_interpreter = true;
        image.interpreter_offset = s.offset;
        image.interpreter_size = s.filesz;
        break;
      case kPtGnuStack:
        image.executable_stack = s.flags & kPfX;
        break;
      default:
        break;
    }
  }
  if (image.loads.empty()) return Errno::noexec;
  return image;
}

}  // namespace runsc::kernel
