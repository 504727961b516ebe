#include "kvm/monitor/elf_image.h"

#include <cxxabi.h>
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace runsc::monitor {
namespace {

// A copy of the struct at an offset of the file, if all of it is there.
template <typename T>
std::optional<T> read_at(std::span<const std::byte> file, std::uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

std::optional<std::span<const std::byte>> bytes_at(std::span<const std::byte> file, std::uint64_t offset,
                                                   std::uint64_t size) {
  if (offset > file.size() || size > file.size() - offset) return std::nullopt;
  return file.subspan(offset, size);
}

std::string demangle(const char* name) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                              std::free);
  return status == 0 && text != nullptr ? std::string(text.get()) : std::string(name);
}

}  // namespace

std::optional<SymbolTable::Hit> SymbolTable::lookup(std::uint64_t address) const {
  auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                [](std::uint64_t a, const Symbol& s) { return a < s.address; });
  if (after == symbols_.begin()) return std::nullopt;
  const Symbol& symbol = *std::prev(after);
  std::uint64_t offset = address - symbol.address;
  if (symbol.size != 0 && offset >= symbol.size) return std::nullopt;
  return Hit{demangle(symbol.name.c_str()), offset};
}

std::string SymbolTable::describe(std::uint64_t address) const {
  if (auto hit = lookup(address)) return fmt::format("{:#018x} {}+{:#x}", address, hit->name, hit->offset);
  return fmt::format("{:#018x}", address);
}

std::optional<std::uint64_t> SymbolTable::address_of(std::string_view name) const {
  for (const Symbol& s : symbols_) {
    if (s.name == name) return s.address;
  }
  return std::nullopt;
}

Expected<ElfImage> ElfImage::parse(std::span<const std::byte> file) {
  auto header = read_at<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return fail("sentry image: not an ELF file");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != EM_X86_64 || header->e_type != ET_EXEC ||
      header->e_phentsize != sizeof(Elf64_Phdr)) {
    return fail("sentry image: not an x86-64 executable");
  }
  ElfImage image;
  image.entry_ = header->e_entry;
  MON_TRY(image.read_segments(file));
  image.read_symbols(file);
  return image;
}

Expected<void> ElfImage::read_segments(std::span<const std::byte> file) {
  auto header = *read_at<Elf64_Ehdr>(file, 0);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    auto p = read_at<Elf64_Phdr>(file, header.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr));
    if (!p) return fail("sentry image: program headers beyond the end of the file");
    if (p->p_type != PT_LOAD || p->p_memsz == 0) continue;
    auto bytes = bytes_at(file, p->p_offset, p->p_filesz);
    if (!bytes || p->p_filesz > p->p_memsz) return fail("sentry image: segment beyond the end of the file");
    if ((p->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
      return fail("sentry image: segment both writable and executable");
    segments_.push_back({p->p_vaddr, *bytes, p->p_memsz, (p->p_flags & PF_W) != 0, (p->p_flags & PF_X) != 0});
  }
  if (segments_.empty()) return fail("sentry image: nothing to load");
  return {};
}

void ElfImage::read_symbols(std::span<const std::byte> file) {
  auto header = *read_at<Elf64_Ehdr>(file, 0);
  auto section = [&](std::uint64_t i) {
    return i < header.e_shnum ? read_at<Elf64_Shdr>(file, header.e_shoff + i * sizeof(Elf64_Shdr))
                              : std::nullopt;
  };
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    auto table = section(i);
    if (!table || table->sh_type != SHT_SYMTAB) continue;
    auto strings = section(table->sh_link);
    if (!strings) return;
    auto names = bytes_at(file, strings->sh_offset, strings->sh_size);
    if (!names || names->empty() || names->back() != std::byte{0}) return;
    for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= table->sh_size; at += sizeof(Elf64_Sym)) {
      auto symbol = read_at<Elf64_Sym>(file, table->sh_offset + at);
      if (!symbol) break;
      unsigned type = ELF64_ST_TYPE(symbol->st_info);
      if (symbol->st_shndx == SHN_UNDEF || symbol->st_name >= names->size()) continue;
      if (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE) continue;
      const char* name = reinterpret_cast<const char*>(names->data()) + symbol->st_name;
      if (*name != 0) symbols_.symbols_.push_back({symbol->st_value, symbol->st_size, name});
    }
  }
  // Of several symbols at one address the one with a size comes last: lookup() takes the last.
  std::sort(symbols_.symbols_.begin(), symbols_.symbols_.end(),
            [](const SymbolTable::Symbol& a, const SymbolTable::Symbol& b) {
              return a.address != b.address ? a.address < b.address : a.size < b.size;
            });
}

}  // namespace runsc::monitor
