#include "kernel/loader/elf.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "kernel/loader/script.h"

using namespace runsc;
using namespace runsc::kernel;
using namespace runsc::abi;

namespace {

ElfHeader good_header() {
  ElfHeader h{};
  std::memcpy(h.ident,
              "\x7f"
              "ELF\x02\x01\x01",
              7);
  h.type = kElfExec;
  h.machine = kElfX8664;
  h.phentsize = sizeof(ElfSegment);
  h.phnum = 1;
  h.phoff = 64;
  return h;
}

ElfSegment load(uint64_t vaddr, uint64_t filesz, uint64_t memsz) {
  ElfSegment s{};
  s.type = kPtLoad;
  s.flags = kPfR;
  s.vaddr = vaddr;
  s.offset = vaddr & 4095;
  s.filesz = filesz;
  s.memsz = memsz;
  s.align = 4096;
  return s;
}

Result<ElfHeader> parse(const ElfHeader& h) { return parse_elf_header(std::as_bytes(std::span(&h, 1))); }

std::span<const std::byte> bytes(std::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); }

}  // namespace

TEST_CASE("elf: headers that are not ours are ENOEXEC") {
  CHECK(parse(good_header()));
  ElfHeader h = good_header();
  h.ident[4] = 1;
  CHECK(parse(h).error() == Errno::noexec);
  h = good_header();
  h.machine = 183;
  CHECK(parse(h).error() == Errno::noexec);
  h = good_header();
  h.phentsize = 32;
  CHECK(parse(h).error() == Errno::noexec);
  h = good_header();
  h.phnum = 0;
  CHECK(parse(h).error() == Errno::noexec);
  CHECK(parse_elf_header(bytes("\x7f"
                               "ELF"))
            .error() == Errno::noexec);
}

TEST_CASE("elf: segments are checked") {
  ElfHeader h = good_header();
  std::vector<ElfSegment> s = {load(0x400000, 0x100, 0x2000), load(0x403000, 0x10, 0x10)};
  auto image = parse_elf_image(h, s, 1 << 20);
  REQUIRE(image);
  CHECK(image->low == 0x400000);
  CHECK(image->high == 0x404000);
  CHECK(image->phdr_vaddr == 0x400040);

  auto bad = [&](ElfSegment segment) {
    s[1] = segment;
    return parse_elf_image(h, s, 1 << 20).error();
  };
  CHECK(bad(load(0x300000, 1, 1)) == Errno::inval);                    // not ascending
  CHECK(bad(load(0x405000, 2, 1)) == Errno::inval);                    // file part larger than memory part
  CHECK(bad(load(0x7fffffffe000, 1, 0x10000)) == Errno::inval);        // past the user half
  CHECK(bad(load(~uint64_t{0} - 0xfff, 1, 0x10000)) == Errno::inval);  // wraps
  ElfSegment crooked = load(0x405000, 1, 1);
  crooked.offset = 1;
  CHECK(bad(crooked) == Errno::inval);
  CHECK(parse_elf_image(h, {}, 0).error() == Errno::noexec);
}

TEST_CASE("elf: an interpreter outside of the file is refused") {
  ElfHeader h = good_header();
  ElfSegment interp{};
  interp.type = kPtInterp;
  interp.offset = 0x1000;
  interp.filesz = 28;
  std::vector<ElfSegment> s = {interp, load(0x400000, 1, 1)};
  CHECK(parse_elf_image(h, s, 0x2000));
  CHECK(parse_elf_image(h, s, 0x1001).error() == Errno::noexec);
  s[0].filesz = 1;
  CHECK(parse_elf_image(h, s, 0x2000).error() == Errno::noexec);
  s[0].filesz = 5000;
  CHECK(parse_elf_image(h, s, 0x20000).error() == Errno::noexec);
}

TEST_CASE("script: the line after #!") {
  auto plain = parse_script(bytes("#!/bin/sh\necho"));
  REQUIRE(plain);
  CHECK(plain->interpreter == "/bin/sh");
  CHECK(plain->argument.empty());
  auto with = parse_script(bytes("#! /usr/bin/env  python3 -u \n"));
  REQUIRE(with);
  CHECK(with->interpreter == "/usr/bin/env");
  CHECK(with->argument == "python3 -u");
  CHECK(parse_script(bytes("#!\n")).error() == Errno::noexec);
  CHECK(parse_script(bytes("#!  \n")).error() == Errno::noexec);
  auto none =
      parse_script(bytes("\x7f"
                         "ELF"));
  REQUIRE(none);
  CHECK_FALSE(none->is_script);
  std::string cut = "#!/" + std::string(400, 'a');
  CHECK(parse_script(bytes(std::string_view(cut).substr(0, kScriptHead))).error() == Errno::noexec);
}
