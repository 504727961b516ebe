// Reading ELF files: pure functions over bytes, so that hostile files can be tried on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/abi/elf.h"
#include "kernel/base/result.h"
#include "kernel/base/vec.h"

namespace runsc::kernel {

inline constexpr size_t kMaxSegmentBytes = 65536;  // of program headers, as Linux

// ENOEXEC unless a header of an x86-64 executable or shared object.
Result<abi::ElfHeader> parse_elf_header(std::span<const std::byte> bytes);

// What to map for a program or its interpreter; addresses as in the file.
struct ElfImage {
  abi::ElfHeader header{};
  Vec<abi::ElfSegment> loads;  // PT_LOAD, sizes and addresses checked, ascending
  uint64_t low = 0, high = 0;  // page-rounded extent of the loads
  uint64_t max_align = 4096;
  uint64_t phdr_vaddr = 0;  // where the program headers are in memory, or 0
  bool has_interpreter = false;
  uint64_t interpreter_offset = 0, interpreter_size = 0;
  bool executable_stack = false;
  bool position_independent() const { return header.type == abi::kElfDyn; }
};

// `segments` are the program headers. ENOEXEC, EINVAL, ENOMEM.
Result<ElfImage> parse_elf_image(const abi::ElfHeader& header, std::span<const abi::ElfSegment> segments,
                                 uint64_t file_size);

}  // namespace runsc::kernel
