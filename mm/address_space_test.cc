#include "mm/address_space.h"

#include <vector>

#include "mm/flags.h"
#include "mm/testing/fake_file.h"
#include "mm/user_copy.h"
#include "tests/unit/fake_arch/fake_arch.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::mm;
using testing::FakeFile;
namespace fake = runsc::arch::fake;

namespace {

constexpr Prot kRw = Prot::read | Prot::write;
constexpr uint64_t kBase = 0x10000000;

// A machine and a space; at the end nothing of either must be left.
struct Machine {
  explicit Machine(const fake::Config& config = {}) {
    fake::start(config);
    objects = fake::counters().live_objects;
    pages = phys_stats().free_pages;
    space = AddressSpace::create().value();
  }
  ~Machine() {
    space = nullptr;
    reuse_retired_tables();
    CHECK(fake::counters().live_objects == objects);
    CHECK(phys_stats().free_pages == pages);
  }
  Result<uint64_t> map(uint64_t address, uint64_t pages_, Prot prot = kRw,
                       uint32_t flags = kMapPrivate | kMapFixed) {
    return space->mmap({address, pages_ * kPageSize, prot, flags, {}, 0, Prot::all}, limits);
  }
  Result<uint64_t> map_file(FakeFile& f, uint64_t address, uint64_t pages_, Prot prot, uint32_t flags,
                            uint64_t page = 0) {
    return space->mmap({.address = address,
                        .size = pages_ * kPageSize,
                        .prot = prot,
                        .flags = flags | kMapFixed,
                        .file = MappableRef(f),
                        .offset = page * kPageSize},
                       limits);
  }
  uint64_t objects, pages;
  Ref<AddressSpace> space;
  AddressSpaceLimits limits;
};

Result<void> store(AddressSpace& s, uint64_t address, uint64_t value) {
  return copy_out_bytes(s, address, &value, sizeof value);
}
Result<uint64_t> load(AddressSpace& s, uint64_t address) {
  uint64_t value;
  TRY(copy_in_bytes(s, &value, address, sizeof value));
  return value;
}
template <class T>
Errno error_of(const Result<T>& r) {
  return r ? Errno{} : r.error();
}
size_t vma_count(AddressSpace& s) {
  size_t n = 0;
  s.for_each_vma(0, [&](const Vma&) { return ++n, true; });
  return n;
}

}  // namespace

TEST_CASE("anonymous memory reads as zeros and keeps what is written") {
  Machine m;
  REQUIRE(m.map(kBase, 100));
  CHECK(load(*m.space, kBase + 99 * kPageSize).value() == 0);
  for (uint64_t i = 0; i < 100; ++i) REQUIRE(store(*m.space, kBase + i * kPageSize + 8, i));
  for (uint64_t i = 0; i < 100; ++i) REQUIRE(load(*m.space, kBase + i * kPageSize + 8).value() == i);
  CHECK(m.space->usage().resident == 100);
  CHECK(error_of(load(*m.space, kBase - 8)) == Errno::fault);
  CHECK(error_of(load(*m.space, kBase + 100 * kPageSize - 4)) == Errno::fault);
  CHECK(error_of(load(*m.space, ~uint64_t{0} - 3)) == Errno::fault);
  CHECK(error_of(load(*m.space, arch::kUserEnd)) == Errno::fault);
}

TEST_CASE("fork: both see the past, neither the other's future") {
  uint64_t pages = GENERATE(8, 3000);  // copied at once; shared until written
  Machine m({.ram_limit = uint64_t{128} << 20});
  REQUIRE(m.map(kBase, pages));
  for (uint64_t i = 0; i < pages; ++i) REQUIRE(store(*m.space, kBase + i * kPageSize, i + 1));
  fake::fill_translations(m.space->user_space());
  auto child = m.space->fork().value();
  CHECK(fake::check_translations(m.space->user_space()) == "");
  CHECK(child->usage().resident == pages);
  for (uint64_t i = 0; i < pages; ++i) {
    uint64_t at = kBase + i * kPageSize;
    REQUIRE(store(i % 2 ? *child : *m.space, at, 1000000 + i));
    REQUIRE(load(*child, at).value() == (i % 2 ? 1000000 + i : i + 1));
    REQUIRE(load(*m.space, at).value() == (i % 2 ? i + 1 : 1000000 + i));
  }
  CHECK(fake::check_translations(m.space->user_space()) == "");
  auto grandchild = child->fork().value();
  child = nullptr;
  CHECK(load(*grandchild, kBase + kPageSize).value() == 1000001);
}

TEST_CASE("MADV_DONTFORK and MADV_WIPEONFORK") {
  Machine m;
  REQUIRE(m.map(kBase, 3));
  for (uint64_t i = 0; i < 3; ++i) REQUIRE(store(*m.space, kBase + i * kPageSize, 7));
  REQUIRE(m.space->madvise(kBase, kPageSize, 10));
  REQUIRE(m.space->madvise(kBase + kPageSize, kPageSize, 18));
  auto child = m.space->fork().value();
  CHECK(error_of(load(*child, kBase)) == Errno::fault);
  CHECK(load(*child, kBase + kPageSize).value() == 0);
  CHECK(load(*child, kBase + 2 * kPageSize).value() == 7);
  CHECK(load(*m.space, kBase + kPageSize).value() == 7);
}

TEST_CASE("files: shared mappings write through, private ones do not") {
  Machine m;
  auto kind = GENERATE(FakeFile::Kind::ram, FakeFile::Kind::tracked_ram, FakeFile::Kind::window);
  {
    FakeFile f(kind, 80);
    for (size_t i = 0; i < 80; ++i) *static_cast<uint64_t*>(f.data(i)) = 500 + i;
    REQUIRE(m.map_file(f, kBase, 90, kRw, kMapShared));
    REQUIRE(m.map_file(f, 2 * kBase, 40, kRw, kMapPrivate, 40));
    for (size_t i = 0; i < 80; ++i) CHECK(load(*m.space, kBase + i * kPageSize).value() == 500 + i);
    uint64_t gets = f.gets;
    CHECK(gets <= 8);  // mapped around
    CHECK(load(*m.space, 2 * kBase + 5 * kPageSize).value() == 545);
    REQUIRE(store(*m.space, 2 * kBase + 5 * kPageSize, 1));
    CHECK(load(*m.space, 2 * kBase + 5 * kPageSize).value() == 1);
    CHECK(*static_cast<uint64_t*>(f.data(45)) == 545);
    REQUIRE(store(*m.space, kBase + 46 * kPageSize, 2));
    CHECK(*static_cast<uint64_t*>(f.data(46)) == 2);
    CHECK((kind == FakeFile::Kind::ram) == (f.write_gets == 0));
    CHECK(error_of(load(*m.space, kBase + 80 * kPageSize)) == Errno::fault);
    CHECK(m.space->fault(kBase + 80 * kPageSize, 0) == FaultResult::bus_adrerr);
    CHECK(f.mapped_bytes == 130 * kPageSize);

    fake::fill_translations(m.space->user_space());
    auto child = m.space->fork().value();
    CHECK(load(*child, 2 * kBase + 5 * kPageSize).value() == 1);
    REQUIRE(store(*child, kBase + 47 * kPageSize, 3));
    CHECK(load(*m.space, kBase + 47 * kPageSize).value() == 3);
    child = nullptr;
    REQUIRE(m.space->munmap(kBase, 90 * kPageSize));
    CHECK(fake::check_translations(m.space->user_space()) == "");
    REQUIRE(m.space->munmap(2 * kBase, 40 * kPageSize));
    CHECK(f.mapped_bytes == 0);
    CHECK(f.refs == 0);
  }
}

TEST_CASE("a file that shrinks takes its pages away, private copies too") {
  Machine m;
  FakeFile f(FakeFile::Kind::ram, 16);
  REQUIRE(m.map_file(f, kBase, 16, kRw, kMapShared));
  REQUIRE(m.map_file(f, 2 * kBase, 16, kRw, kMapPrivate));
  auto child = m.space->fork().value();
  for (uint64_t i = 0; i < 16; ++i) {
    REQUIRE(store(*m.space, kBase + i * kPageSize, i));
    REQUIRE(store(*child, 2 * kBase + i * kPageSize, i));
    REQUIRE(load(*child, kBase + i * kPageSize).value() == i);
  }
  fake::fill_translations(m.space->user_space());
  fake::fill_translations(child->user_space());
  f.truncate(4);
  for (auto* s : {m.space.get(), child.get()}) {
    CHECK(fake::check_translations(s->user_space()) == "");
    CHECK(load(*s, kBase + 3 * kPageSize).value() == 3);
    CHECK(s->fault(kBase + 4 * kPageSize, 0) == FaultResult::bus_adrerr);
    CHECK(s->fault(2 * kBase + 9 * kPageSize, 2) == FaultResult::bus_adrerr);
  }
  child = nullptr;
  REQUIRE(m.space->munmap(kBase, 0x20000000));
}

TEST_CASE("shared anonymous memory is shared with children") {
  Machine m;
  REQUIRE(m.map(kBase, 40, kRw, kMapShared | kMapFixed));
  auto child = m.space->fork().value();
  for (uint64_t i = 0; i < 40; ++i) REQUIRE(store(i % 2 ? *child : *m.space, kBase + i * kPageSize, i + 1));
  for (uint64_t i = 0; i < 40; ++i) {
    CHECK(load(*child, kBase + i * kPageSize).value() == i + 1);
    CHECK(load(*m.space, kBase + i * kPageSize).value() == i + 1);
  }
  auto a = m.space->futex_key(kBase + 16, true).value(), b = child->futex_key(kBase + 16, true).value();
  CHECK(a.object == b.object);
  CHECK(a.offset == b.offset);
  CHECK(m.space->futex_key(kBase + 16, false).value().object !=
        child->futex_key(kBase + 16, false).value().object);
  REQUIRE(m.space->madvise(kBase, 40 * kPageSize, 9));  // MADV_REMOVE
  CHECK(load(*child, kBase + 5 * kPageSize).value() == 0);
}

TEST_CASE("errno of mmap") {
  Machine m({.ram_limit = uint64_t{64} << 20});
  auto& s = *m.space;
  FakeFile f(FakeFile::Kind::ram, 4);
  auto call = [&](uint64_t address, uint64_t size, uint32_t flags, Prot prot = kRw, FakeFile* file = nullptr,
                  uint64_t offset = 0, Prot max = Prot::all) {
    return error_of(s.mmap(
        {address, size, prot, flags, file ? MappableRef(*file) : MappableRef(), offset, max}, m.limits));
  };
  CHECK(call(0, 0, kMapPrivate) == Errno::inval);
  CHECK(call(0, ~uint64_t{0}, kMapPrivate) == Errno::nomem);
  CHECK(call(0, arch::kUserEnd, kMapPrivate | kMapNoReserve) == Errno::nomem);
  CHECK(call(0, kPageSize, 0) == Errno::inval);
  CHECK(call(0, kPageSize, kMapSharedValidate) == Errno::inval);  // anonymous
  CHECK(call(0, kPageSize, kMapShared | kMapGrowsDown) == Errno::inval);
  CHECK(call(0, kPageSize, kMapPrivate | kMapHugeTlb) == Errno::nomem);
  CHECK(call(kBase + 1, kPageSize, kMapPrivate | kMapFixed) == Errno::inval);
  CHECK(call(0, kPageSize, kMapPrivate | kMapFixed) == Errno::perm);
  CHECK(call(arch::kUserEnd, kPageSize, kMapPrivate | kMapFixed) == Errno::nomem);
  CHECK(call(0, uint64_t{65} << 20, kMapPrivate) == Errno::nomem);  // more than the machine has
  CHECK(call(0, uint64_t{65} << 20, kMapPrivate | kMapNoReserve) == Errno{});
  CHECK(call(0, uint64_t{65} << 20, kMapPrivate, Prot::none) == Errno{});
  CHECK(call(0, kPageSize, kMapSharedValidate | 0x80000, kRw, &f) == Errno::opnotsupp);
  CHECK(call(0, kPageSize, kMapShared, kRw, &f, 0, Prot::read) == Errno::acces);
  CHECK(call(0, kPageSize, kMapShared, kRw, &f, 1) == Errno::inval);
  CHECK(call(0, 2 * kPageSize, kMapShared, kRw, &f, ~kPageMask) == Errno::overflow);
  CHECK(call(kBase, kPageSize, kMapPrivate | kMapFixedNoReplace) == Errno{});
  CHECK(call(kBase, kPageSize, kMapPrivate | kMapFixedNoReplace) == Errno::exist);
  m.limits.address_space = s.usage().virtual_pages * kPageSize;
  CHECK(call(0, kPageSize, kMapPrivate) == Errno::nomem);
  CHECK(call(kBase, kPageSize, kMapPrivate | kMapFixed) == Errno{});
  m.limits = {};
  m.limits.data = s.usage().data * kPageSize;
  CHECK(call(0, kPageSize, kMapPrivate) == Errno::nomem);
  CHECK(call(0, kPageSize, kMapPrivate, Prot::read) == Errno{});
  m.limits = {};
  m.limits.locked = kPageSize;
  CHECK(call(0, 2 * kPageSize, kMapPrivate | kMapLocked) == Errno::again);
  CHECK(call(0, kPageSize, kMapPrivate | kMapLocked) == Errno{});
}

TEST_CASE("placement: top down, hints, 32 bits, the gap below a stack") {
  Machine m;
  auto& s = *m.space;
  uint64_t a = m.map(0, 4, kRw, kMapPrivate).value(), b = m.map(0, 4, kRw, kMapPrivate).value();
  CHECK(b == a - 4 * kPageSize);
  CHECK(vma_count(s) == 1);
  uint64_t c = m.map(0, 1, Prot::read, kMapPrivate).value();
  REQUIRE(s.munmap(a, kPageSize));
  CHECK(m.map(0, 2, kRw, kMapPrivate).value() == c - 2 * kPageSize);
  CHECK(m.map(0, 1, kRw, kMapPrivate).value() == a);
  CHECK(m.map(kBase + 5, 2, kRw, kMapPrivate).value() == kBase + kPageSize);
  CHECK(m.map(kBase + kPageSize, 2, kRw, kMapPrivate).value() != kBase + kPageSize);
  CHECK(m.map(0, 1, kRw, kMapPrivate | kMap32Bit).value() < uint64_t{1} << 31);
  REQUIRE(m.map(4 * kBase, 1, kRw, kMapPrivate | kMapFixed | kMapGrowsDown));
  CHECK(m.map(4 * kBase - kPageSize, 1, kRw, kMapPrivate).value() != 4 * kBase - kPageSize);
  uint64_t below = 4 * kBase - kStackGap - kPageSize;
  CHECK(m.map(below, 1, kRw, kMapPrivate).value() == below);
}

TEST_CASE("a stack grows to its limit and keeps its distance") {
  Machine m;
  auto& s = *m.space;
  uint64_t end = arch::kUserEnd - kPageSize;
  s.set_stack_limit(1 << 20);
  REQUIRE(s.map_stack(end, 64 << 10, kRw));
  CHECK(store(s, end - 8, 1));
  CHECK(store(s, end - (512 << 10), 1));
  CHECK(store(s, end - (1 << 20), 1));
  CHECK(error_of(store(s, end - (1 << 20) - 8, 1)) == Errno::fault);
  s.set_stack_limit(64 << 20);
  REQUIRE(m.map(end - (4 << 20), 1));
  CHECK(store(s, end - (2 << 20), 1));
  CHECK(store(s, end - (3 << 20) + kPageSize, 1));
  CHECK(error_of(store(s, end - (3 << 20) - kPageSize, 1)) == Errno::fault);
}

TEST_CASE("brk") {
  Machine m;
  auto& s = *m.space;
  s.set_brk_start(kBase + 100);
  CHECK(s.brk(0, m.limits) == kBase + 100);
  CHECK(s.brk(kBase + 5 * kPageSize + 1, m.limits) == kBase + 5 * kPageSize + 1);
  CHECK(store(s, kBase + 5 * kPageSize, 9));
  CHECK(error_of(store(s, kBase + 6 * kPageSize, 9)) == Errno::fault);
  CHECK(s.brk(kBase + 5 * kPageSize - 1, m.limits) == kBase + 5 * kPageSize - 1);
  CHECK(error_of(load(s, kBase + 5 * kPageSize)) == Errno::fault);
  CHECK(s.brk(kBase + 6 * kPageSize, m.limits) == kBase + 6 * kPageSize);
  CHECK(load(s, kBase + 5 * kPageSize).value() == 0);
  REQUIRE(m.map(kBase + 10 * kPageSize, 1));
  CHECK(s.brk(kBase + 10 * kPageSize, m.limits) == kBase + 6 * kPageSize);
  m.limits.data = 2 * kPageSize;
  CHECK(s.brk(kBase + 7 * kPageSize, m.limits) == kBase + 6 * kPageSize);
}

TEST_CASE("mprotect keeps contents through PROT_NONE, splits and joins") {
  Machine m;
  auto& s = *m.space;
  REQUIRE(m.map(kBase, 8));
  for (uint64_t i = 0; i < 8; ++i) REQUIRE(store(s, kBase + i * kPageSize, i));
  fake::fill_translations(s.user_space());
  REQUIRE(s.mprotect(kBase + 2 * kPageSize, 2 * kPageSize, Prot::none));
  CHECK(fake::check_translations(s.user_space()) == "");
  CHECK(vma_count(s) == 3);
  CHECK(error_of(load(s, kBase + 2 * kPageSize)) == Errno::fault);
  CHECK(s.fault(kBase + 2 * kPageSize, 0) == FaultResult::accerr);
  CHECK(s.usage().resident == 8);
  REQUIRE(s.mprotect(kBase + 2 * kPageSize, 2 * kPageSize, Prot::read));
  CHECK(load(s, kBase + 2 * kPageSize).value() == 2);
  CHECK(error_of(store(s, kBase + 2 * kPageSize, 0)) == Errno::fault);
  REQUIRE(s.mprotect(kBase + 2 * kPageSize, 2 * kPageSize, kRw));
  CHECK(vma_count(s) == 1);
  CHECK(store(s, kBase + 2 * kPageSize, 0));
  CHECK(error_of(s.mprotect(kBase + 1, kPageSize, kRw)) == Errno::inval);
  CHECK(error_of(s.mprotect(kBase, 9 * kPageSize, Prot::read)) == Errno::nomem);
  CHECK(error_of(store(s, kBase, 0)) == Errno::fault);  // up to the hole it was done
  CHECK(s.mprotect(kBase, 0, kRw));
}

TEST_CASE("mremap grows, moves, shrinks and refuses as Linux does") {
  Machine m;
  auto& s = *m.space;
  auto call = [&](uint64_t a, uint64_t old, uint64_t now, uint32_t flags, uint64_t to = 0) {
    return s.mremap(a, old * kPageSize, now * kPageSize, flags, to, m.limits);
  };
  REQUIRE(m.map(kBase, 4));
  for (uint64_t i = 0; i < 4; ++i) REQUIRE(store(s, kBase + i * kPageSize, i + 1));
  CHECK(call(kBase, 4, 6, 0).value() == kBase);
  REQUIRE(m.map(kBase + 6 * kPageSize, 1, Prot::read));
  CHECK(error_of(call(kBase, 6, 8, 0)) == Errno::nomem);
  fake::fill_translations(s.user_space());
  uint64_t moved = call(kBase, 6, 8, kMremapMayMove).value();
  CHECK(moved != kBase);
  CHECK(fake::check_translations(s.user_space()) == "");
  for (uint64_t i = 0; i < 4; ++i) CHECK(load(s, moved + i * kPageSize).value() == i + 1);
  CHECK(load(s, moved + 7 * kPageSize).value() == 0);
  CHECK(error_of(load(s, kBase)) == Errno::fault);
  uint64_t odd = 3 * kBase + 0x1ff000;  // across a table boundary
  CHECK(call(moved, 8, 8, kMremapMayMove | kMremapFixed, odd).value() == odd);
  for (uint64_t i = 0; i < 4; ++i) CHECK(load(s, odd + i * kPageSize).value() == i + 1);
  CHECK(call(odd, 8, 2, 0).value() == odd);
  CHECK(error_of(load(s, odd + 2 * kPageSize)) == Errno::fault);
  CHECK(error_of(call(odd + 1, 1, 2, 0)) == Errno::inval);
  CHECK(error_of(call(odd, 2, 0, 0)) == Errno::inval);
  CHECK(error_of(call(odd, 0, 2, kMremapMayMove)) == Errno::inval);
  CHECK(error_of(call(odd, 1, 2, kMremapFixed, kBase)) == Errno::inval);
  CHECK(error_of(call(odd, 2, 2, kMremapMayMove | kMremapFixed, odd + kPageSize)) == Errno::inval);
  CHECK(error_of(call(odd, 3, 4, kMremapMayMove)) == Errno::fault);
  CHECK(error_of(call(5 * kBase, 1, 2, kMremapMayMove)) == Errno::fault);
  uint64_t kept = call(odd, 2, 2, kMremapMayMove | kMremapDontUnmap).value();
  CHECK(load(s, kept).value() == 1);
  CHECK(load(s, odd).value() == 0);
}

TEST_CASE("madvise, msync, mlock, mincore") {
  Machine m;
  auto& s = *m.space;
  REQUIRE(m.map(kBase, 8));
  for (uint64_t i = 0; i < 8; ++i) REQUIRE(store(s, kBase + i * kPageSize, 5));
  fake::fill_translations(s.user_space());
  REQUIRE(s.madvise(kBase, 2 * kPageSize, 4));
  CHECK(fake::check_translations(s.user_space()) == "");
  uint8_t there[8];
  REQUIRE(s.mincore(kBase, there));
  CHECK(there[1] == 0);
  CHECK(there[2] == 1);
  CHECK(load(s, kBase).value() == 0);
  CHECK(error_of(s.madvise(kBase + 1, kPageSize, 4)) == Errno::inval);
  CHECK(error_of(s.madvise(kBase, kPageSize, 99)) == Errno::inval);
  CHECK(error_of(s.madvise(kBase, 9 * kPageSize, 4)) == Errno::nomem);
  CHECK(load(s, kBase + 7 * kPageSize).value() == 0);
  CHECK(error_of(s.madvise(kBase, 9 * kPageSize, 3)) == Errno::nomem);
  CHECK(s.madvise(kBase, 8 * kPageSize, 14));
  CHECK(s.madvise(kBase, 8 * kPageSize, 23));
  CHECK(s.usage().resident == 8);
  CHECK(error_of(s.madvise(kBase, kPageSize, 9)) == Errno::inval);
  uint8_t nine[9];
  CHECK(error_of(s.mincore(kBase, nine)) == Errno::nomem);
  CHECK(error_of(s.msync(kBase, kPageSize, 5)) == Errno::inval);
  CHECK(error_of(s.msync(kBase, 9 * kPageSize, 4)) == Errno::nomem);
  CHECK(s.msync(kBase, 8 * kPageSize, 4));
  REQUIRE(s.mlock(kBase, 2 * kPageSize, true));
  CHECK(s.usage().locked == 2);
  CHECK(error_of(s.madvise(kBase, kPageSize, 4)) == Errno::inval);
  CHECK(error_of(s.msync(kBase, kPageSize, 2)) == Errno::busy);
  CHECK(error_of(s.mlock(kBase, 4 * kPageSize, true, {.locked = 3 * kPageSize})) == Errno::nomem);
  REQUIRE(s.mlock(kBase, 2 * kPageSize, false));
  CHECK(s.usage().locked == 0);
  REQUIRE(s.mlock_all(3, {}));
  REQUIRE(m.map(2 * kBase, 3));
  CHECK(s.usage().locked == 11);
  CHECK(s.usage().resident == 11);
  REQUIRE(s.mlock_all(0, {}));
  CHECK(s.usage().locked == 0);
}

TEST_CASE("memory that ends kills the task that grew, not the sentry") {
  Machine m({.ram_limit = uint64_t{32} << 20});
  auto& s = *m.space;
  REQUIRE(m.map(kBase, 16384, kRw, kMapPrivate | kMapFixed | kMapNoReserve));
  FaultResult r = FaultResult::ok;
  uint64_t n = 0;
  while (r == FaultResult::ok) r = s.fault(kBase + n++ * kPageSize, 2);
  CHECK(r == FaultResult::oom);
  CHECK(s.usage().resident > 7000);
  CHECK(error_of(store(s, kBase + 16000 * kPageSize, 1)) == Errno::fault);
  CHECK(s.fork().has_value());  // tables come from the reserve
}

TEST_CASE("remote access overrides the protection of private memory") {
  Machine m;
  auto& s = *m.space;
  REQUIRE(m.map(kBase, 2, Prot::read));
  uint64_t value = 77;
  CHECK(s.write_remote(kBase + kPageSize - 4, std::as_bytes(std::span(&value, 1))).value() == 8);
  CHECK(load(s, kBase + kPageSize - 4).value() == 77);
  CHECK(error_of(store(s, kBase, 1)) == Errno::fault);
  uint64_t back = 0;
  REQUIRE(s.mprotect(kBase, 2 * kPageSize, Prot::none));
  CHECK(s.read_remote(kBase + kPageSize - 4, std::as_writable_bytes(std::span(&back, 1))).value() == 8);
  CHECK(back == 77);
  CHECK(error_of(s.read_remote(kBase + 2 * kPageSize, std::as_writable_bytes(std::span(&back, 1)))) ==
        Errno::io);
}

TEST_CASE("strings and futex words") {
  Machine m;
  auto& s = *m.space;
  REQUIRE(m.map(kBase, 2));
  std::string text(600, 'x');
  REQUIRE(copy_out_bytes(s, kBase + 2 * kPageSize - 601, text.c_str(), 601));
  CHECK(copy_in_string(s, kBase + 2 * kPageSize - 601, 4096).value() == text);
  CHECK(error_of(copy_in_string(s, kBase + 2 * kPageSize - 601, 600)) == Errno::nametoolong);
  REQUIRE(copy_out_bytes(s, kBase + 2 * kPageSize - 1, "x", 1));
  CHECK(error_of(copy_in_string(s, kBase + 2 * kPageSize - 601, 4096)) == Errno::fault);
  CHECK(cmpxchg_user32(s, kBase, 0, 9).value() == 0);
  CHECK(cmpxchg_user32(s, kBase, 0, 8).value() == 9);
  CHECK(load_user32(s, kBase).value() == 9);
  CHECK(error_of(load_user32(s, kBase + 2)) == Errno::inval);
  CHECK(error_of(load_user32(s, kBase + 2 * kPageSize)) == Errno::fault);
}
