// mm over a real VM, application code included: what the fake machine cannot show, because it depends on what
// KVM keeps.
#include <cstring>
#include <vector>

#include "kvm/arch/hosted/vm_fixture.h"
#include "mm/address_space.h"
#include "mm/flags.h"
#include "mm/page_table.h"
#include "mm/user_copy.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::mm;
using namespace runsc::arch;

namespace {

constexpr Prot kRw = Prot::read | Prot::write;

// mov (%rsi),%rax; mov %rax,(%rdi); int3
constexpr uint8_t kCopyWord[] = {0x48, 0x8b, 0x06, 0x48, 0x89, 0x07, 0xcc};

class Process {
 public:
  explicit Process(Ref<AddressSpace> space) : space_(std::move(space)) {
    state_ = user_state_create().value();
    user_switch(nullptr, state_, &space_->user_space());
  }
  ~Process() {
    user_switch(state_, nullptr, nullptr);
    user_state_destroy(state_);
  }
  // Runs the code at `code`; false if it died of a fault.
  bool run(uint64_t code, uint64_t from, uint64_t to) {
    UserRegs regs{};
    regs.rip = code;
    regs.rsi = from;
    regs.rdi = to;
    for (int i = 0; i < 100; ++i) {
      Trap t = run_user(*state_, space_->user_space(), regs);
      if (t.kind == TrapKind::exception && t.vector == 3) return true;
      if (t.kind == TrapKind::interrupt) continue;
      if (t.kind != TrapKind::page_fault || space_->fault(t.address, t.error) != FaultResult::ok)
        return false;
    }
    return false;
  }
  AddressSpace& space() { return *space_; }

 private:
  Ref<AddressSpace> space_;
  UserState* state_;
};

void start_mm() {
  hosted::TestVm::use();
  hostcall::BootInfo boot = boot_info();
  boot.free_start = boot.ram_limit / 2;  // below: the fixture's own
  std::memset(phys_to_virt(boot.free_start), 0, boot.ram_limit - boot.free_start);  // as at boot
  phys_init(boot);
}

Ref<AddressSpace> space_with_code(uint64_t code) {
  auto space = AddressSpace::create().value();
  REQUIRE(space->mmap({code, kPageSize, Prot::all, kMapPrivate | kMapFixed, {}, 0, Prot::all}, {}));
  REQUIRE(copy_out_bytes(*space, code, kCopyWord, sizeof kCopyWord));
  return space;
}

void map(AddressSpace& space, uint64_t at, uint64_t pages) {
  REQUIRE(space.mmap({at, pages * kPageSize, kRw, kMapPrivate | kMapFixed, {}, 0, Prot::all}, {}));
}

uint64_t load(AddressSpace& space, uint64_t at) {
  uint64_t value = 0;
  REQUIRE(copy_in_bytes(space, &value, at, sizeof value));
  return value;
}
void store(AddressSpace& space, uint64_t at, uint64_t value) {
  REQUIRE(copy_out_bytes(space, at, &value, sizeof value));
}

}  // namespace

TEST_CASE("page tables of dead spaces serve new ones, and nothing of the old is seen") {
  if (!hosted::TestVm::available()) return;
  start_mm();
  // Same tables, other places: what was a table here is one there next time.
  for (uint64_t i = 1; i <= 400; ++i) {
    uint64_t code = 0x400000 + (i % 3) * 0x40000000, from = 0x10000000 + (i % 5) * 0x8000000000,
             to = 0x7f0000000000 - (i % 7) * 0x200000;
    Process p(space_with_code(code));
    map(p.space(), from, 4);
    map(p.space(), to, 4);
    store(p.space(), from + 8, i);
    REQUIRE(p.run(code, from + 8, to));
    REQUIRE(load(p.space(), to) == i);
    REQUIRE_FALSE(p.run(code, from + (1 << 20), to));
    if (i % 16 == 0) reuse_retired_tables();  // at once, instead of by the hundred
  }
}

TEST_CASE("user code sees what a change of the mapping left") {
  if (!hosted::TestVm::available()) return;
  start_mm();
  constexpr uint64_t kCode = 0x400000, kFrom = 0x10000000, kTo = 0x20000000;
  Process p(space_with_code(kCode));
  AddressSpace& s = p.space();
  map(s, kFrom, 64);
  map(s, kTo, 64);
  for (uint64_t i = 0; i < 50; ++i) {
    uint64_t from = kFrom + (i % 20) * kPageSize, to = kTo + (i % 9) * kPageSize;
    store(s, from, 100 + i);
    REQUIRE(p.run(kCode, from, to));
    REQUIRE(load(s, to) == 100 + i);
    switch (i % 5) {
      case 0: {  // the child's writes are not seen, nor are ours there
        auto child = s.fork().value();
        store(*child, from, 1);
        REQUIRE(p.run(kCode, from, to));
        REQUIRE(load(s, to) == 100 + i);
        REQUIRE(load(*child, from) == 1);
        break;
      }
      case 1:
        REQUIRE(s.madvise(from, kPageSize, 4));
        REQUIRE(p.run(kCode, from, to));
        REQUIRE(load(s, to) == 0);
        break;
      case 2:
        REQUIRE(s.mprotect(to, kPageSize, Prot::read));
        REQUIRE_FALSE(p.run(kCode, from, to));
        REQUIRE(s.mprotect(to, kPageSize, kRw));
        REQUIRE(p.run(kCode, from, to));
        break;
      case 3:
        REQUIRE(s.munmap(from, kPageSize));
        REQUIRE_FALSE(p.run(kCode, from, to));
        map(s, from, 1);
        REQUIRE(p.run(kCode, from, to));
        REQUIRE(load(s, to) == 0);
        break;
      case 4:
        REQUIRE(
            s.mremap(from, kPageSize, kPageSize, kMremapMayMove | kMremapFixed, kFrom + 63 * kPageSize, {}));
        REQUIRE_FALSE(p.run(kCode, from, to));
        REQUIRE(p.run(kCode, kFrom + 63 * kPageSize, to));
        REQUIRE(load(s, to) == 100 + i);
        map(s, from, 1);
        break;
    }
  }
}
