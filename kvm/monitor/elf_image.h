// sentry.elf as the monitor sees it: segments to load and symbols for reports. The file is the project's own,
// yet every offset is checked: a damaged file is an error, not a crash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvm/monitor/error.h"

namespace runsc::monitor {

struct ElfSegment {
  std::uint64_t address;             // virtual
  std::span<const std::byte> bytes;  // from the file
  std::uint64_t memory_size;         // >= bytes.size(); the rest is zero
  bool writable;
  bool executable;
};

class SymbolTable {
 public:
  struct Hit {
    std::string name;  // demangled
    std::uint64_t offset;
  };
  // The function or object that holds the address, or the nearest symbol without a size below it.
  std::optional<Hit> lookup(std::uint64_t address) const;
  // "name+0x12", or the address alone.
  std::string describe(std::uint64_t address) const;
  std::optional<std::uint64_t> address_of(std::string_view name) const;
  std::size_t size() const { return symbols_.size(); }

 private:
  friend class ElfImage;
  struct Symbol {
    std::uint64_t address;
    std::uint64_t size;
    std::string name;
  };
  std::vector<Symbol> symbols_;  // by address
};

// Immutable. The bytes given to parse() outlive it.
class ElfImage {
 public:
  // A little-endian x86-64 ELF executable (ELF-64 object file format, System V ABI).
  static Expected<ElfImage> parse(std::span<const std::byte> file);

  std::uint64_t entry() const { return entry_; }
  const std::vector<ElfSegment>& segments() const { return segments_; }
  const SymbolTable& symbols() const { return symbols_; }

 private:
  Expected<void> read_segments(std::span<const std::byte> file);
  void read_symbols(std::span<const std::byte> file);

  std::uint64_t entry_ = 0;
  std::vector<ElfSegment> segments_;
  SymbolTable symbols_;
};

}  // namespace runsc::monitor
