// ELF64 (elf(5)) and the auxiliary vector (getauxval(3)).
#pragma once

#include <cstdint>

namespace runsc::abi {

struct ElfHeader {
  uint8_t ident[16];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, phoff, shoff;
  uint32_t flags;
  uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
static_assert(sizeof(ElfHeader) == 64);

struct ElfSegment {
  uint32_t type, flags;
  uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
static_assert(sizeof(ElfSegment) == 56);

inline constexpr uint16_t kElfExec = 2, kElfDyn = 3, kElfX8664 = 62;
inline constexpr uint32_t kPtLoad = 1, kPtDynamic = 2, kPtInterp = 3, kPtPhdr = 6, kPtTls = 7,
                          kPtGnuStack = 0x6474e551;
inline constexpr uint32_t kPfX = 1, kPfW = 2, kPfR = 4;

namespace auxv {
inline constexpr uint64_t null = 0, phdr = 3, phent = 4, phnum = 5, pagesz = 6, base = 7, flags = 8,
                          entry = 9, uid = 11, euid = 12, gid = 13, egid = 14, platform = 15, hwcap = 16,
                          clktck = 17, secure = 23, random = 25, hwcap2 = 26, rseq_feature_size = 27,
                          rseq_align = 28, execfn = 31, sysinfo_ehdr = 33, minsigstksz = 51;
}

}  // namespace runsc::abi
