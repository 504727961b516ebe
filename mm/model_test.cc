// Random programs of mapping calls, on several spaces at once, against a model that is an array of pages. The
// machine's TLB holds every translation that it may (fake_arch.h), so a missing shoot-down shows as stale
// data.
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "mm/address_space.h"
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

constexpr uint64_t kBase = 0x101f0000;  // leaf tables meet inside
constexpr size_t kPages = 48;
constexpr size_t kFilePages = 32;

struct Token {
  uint64_t value = 0;
};
using Cell = std::shared_ptr<Token>;

struct PageModel {
  bool mapped = false, shared = false, wipe = false, dont_fork = false, locked = false;
  Prot prot = Prot::none;
  std::vector<Cell>* file = nullptr;  // null: anonymous
  size_t file_page = 0;
  Cell own;  // private contents, once written
  uint64_t value() const {
    if (own) return own->value;
    if (file && file_page < file->size()) return (*file)[file_page]->value;
    return 0;
  }
  bool beyond() const { return file && file_page >= file->size(); }
};

struct SpaceModel {
  Ref<AddressSpace> space;
  std::vector<PageModel> pages = std::vector<PageModel>(kPages);
};

class Program {
 public:
  Program(uint64_t seed, FakeFile::Kind kind) : rng_(seed), file_(kind, kFilePages) {
    for (size_t i = 0; i < kFilePages; ++i) {
      contents_.push_back(std::make_shared<Token>());
      memset(file_.data(i), 0, kPageSize);
    }
    spaces_.resize(1);
    spaces_[0].space = AddressSpace::create().value();
  }

  void step() {
    SpaceModel& s = spaces_[pick(spaces_.size())];
    for (auto& each : spaces_) fake::fill_translations(each.space->user_space());
    switch (pick(16)) {
      case 0:
      case 1:
        return map(s);
      case 2:
        return unmap(s);
      case 3:
        return protect(s);
      case 4:
        return remap(s);
      case 5:
        return discard(s);
      case 6:
        return fork(s);
      case 7:
        return leave();
      case 8:
        return marks(s);
      case 9:
        return populate(s);
      default:
        return access(s);
    }
  }

  void check() {
    for (auto& s : spaces_) {
      REQUIRE(fake::check_translations(s.space->user_space()) == "");
      uint64_t last_end = 0, mapped = 0;
      std::vector<Prot> prots(kPages, Prot::none);
      std::vector<bool> seen(kPages, false);
      s.space->for_each_vma(0, [&](const Vma& v) {
        REQUIRE(v.start >= last_end);
        last_end = v.end;
        mapped += v.size() / kPageSize;
        for (uint64_t a = v.start; a < v.end; a += kPageSize)
          if (a >= kBase && a < kBase + kPages * kPageSize) {
            prots[(a - kBase) / kPageSize] = v.prot;
            seen[(a - kBase) / kPageSize] = true;
          }
        return true;
      });
      uint64_t expected = 0;
      for (size_t i = 0; i < kPages; ++i) {
        REQUIRE(seen[i] == s.pages[i].mapped);
        if (seen[i]) REQUIRE(prots[i] == s.pages[i].prot);
        expected += seen[i];
      }
      REQUIRE(mapped == expected);
      REQUIRE(s.space->usage().virtual_pages == expected);
    }
    for (auto& s : spaces_)
      for (int n = 0; n < 6; ++n) read(s, pick(kPages));
  }

 private:
  size_t pick(size_t n) { return rng_() % n; }
  struct Range {
    size_t at, count;
    uint64_t address() const { return kBase + at * kPageSize; }
    uint64_t size() const { return count * kPageSize; }
  };
  Range range(size_t max) {
    size_t count = 1 + pick(max);
    return {pick(kPages - count + 1), count};
  }
  Prot prot() {
    constexpr Prot kChoices[] = {Prot::read | Prot::write,
                                 Prot::read | Prot::write,
                                 Prot::read,
                                 Prot::none,
                                 Prot::read | Prot::exec,
                                 Prot::all};
    return kChoices[pick(std::size(kChoices))];
  }

  void map(SpaceModel& s) {
    Range r = range(20);
    Prot p = prot();
    bool shared = pick(3) == 0, file = pick(2);
    size_t offset = pick(kFilePages + 2);
    uint32_t flags = kMapFixed | (shared ? kMapShared : kMapPrivate) | (pick(6) == 0 ? kMapPopulate : 0);
    MmapRequest request{r.address(),        r.size(), p, flags, file ? MappableRef(file_) : MappableRef(),
                        offset * kPageSize, Prot::all};
    auto at = s.space->mmap(std::move(request), {});
    REQUIRE(at);
    REQUIRE(*at == r.address());
    std::vector<Cell>* object = &contents_;
    if (!file && shared) {
      auto fresh = std::make_unique<std::vector<Cell>>();
      for (size_t i = 0; i < r.count; ++i) fresh->push_back(std::make_shared<Token>());
      object = fresh.get();
      objects_.push_back(std::move(fresh));
    }
    for (size_t i = 0; i < r.count; ++i) {
      PageModel page;
      page.mapped = true;
      page.shared = shared;
      page.prot = p;
      page.file = file || shared ? object : nullptr;
      page.file_page = file ? offset + i : i;
      s.pages[r.at + i] = page;
    }
  }

  void unmap(SpaceModel& s) {
    Range r = range(12);
    REQUIRE(s.space->munmap(r.address(), r.size()));
    for (size_t i = 0; i < r.count; ++i) s.pages[r.at + i] = {};
  }

  void protect(SpaceModel& s) {
    Range r = range(12);
    Prot p = prot();
    auto done = s.space->mprotect(r.address(), r.size(), p);
    size_t i = 0;
    for (; i < r.count && s.pages[r.at + i].mapped; ++i) s.pages[r.at + i].prot = p;
    REQUIRE(done.has_value() == (i == r.count));
  }

  static bool one_mapping(SpaceModel& s, uint64_t address, uint64_t size) {
    bool one = false;
    s.space->for_each_vma(address, [&](const Vma& v) {
      one = v.start <= address && v.end >= address + size;
      return false;
    });
    return one;
  }

  void remap(SpaceModel& s) {
    Range from = range(10), to = range(14);
    bool overlap = from.at < to.at + to.count && to.at < from.at + from.count;
    bool whole = one_mapping(s, from.address(), std::min(from.size(), to.size()));
    bool mapped = s.pages[from.at].mapped;
    auto done = s.space->mremap(from.address(), from.size(), to.size(), kMremapMayMove | kMremapFixed,
                                to.address(), {});
    if (overlap || !mapped) {
      REQUIRE(!done);
      return;
    }
    // From here on the target is unmapped even when it fails; when shrinking, the source's tail too.
    std::vector<PageModel> old(s.pages.begin() + static_cast<long>(from.at),
                               s.pages.begin() + static_cast<long>(from.at + from.count));
    for (size_t i = 0; i < to.count; ++i) s.pages[to.at + i] = {};
    for (size_t i = to.count; i < from.count; ++i) s.pages[from.at + i] = {};
    REQUIRE(done.has_value() == whole);
    if (!whole) return;
    for (size_t i = 0; i < std::min(from.count, to.count); ++i) s.pages[from.at + i] = {};
    for (size_t i = 0; i < to.count; ++i) {
      PageModel page = i < old.size() ? old[i] : old[0];
      if (i >= old.size()) {
        page.own = nullptr;
        page.file_page = old[0].file_page + i;
      }
      s.pages[to.at + i] = page;
    }
  }

  void discard(SpaceModel& s) {
    Range r = range(10);
    bool holes = false, locked = false;
    for (size_t i = 0; i < r.count; ++i) {
      holes |= !s.pages[r.at + i].mapped;
      locked |= s.pages[r.at + i].locked;
    }
    if (locked) return;
    REQUIRE(s.space->madvise(r.address(), r.size(), 4).has_value() == !holes);
    for (size_t i = 0; i < r.count; ++i) s.pages[r.at + i].own = nullptr;
  }

  void fork(SpaceModel& s) {
    if (spaces_.size() >= 4) return;
    SpaceModel child;
    child.space = s.space->fork().value();
    child.pages = s.pages;
    for (auto& page : child.pages) {
      if (page.dont_fork) page = {};
      if (page.wipe || !page.own) page.own = nullptr;
      if (page.own) page.own = std::make_shared<Token>(*page.own);
      page.locked = false;
    }
    spaces_.push_back(std::move(child));
  }

  void leave() {
    if (spaces_.size() < 2) return;
    spaces_.erase(spaces_.begin() + static_cast<long>(pick(spaces_.size())));
  }

  void marks(SpaceModel& s) {
    Range r = range(6);
    int advice = static_cast<int>(pick(2) ? 10 + pick(2) : 18 + pick(2));
    bool holes = false, refused = false;
    size_t i = 0;
    for (; i < r.count; ++i) {
      PageModel& page = s.pages[r.at + i];
      holes |= !page.mapped;
      refused |= advice == 18 && page.mapped && page.file;
    }
    if (refused) return;
    REQUIRE(s.space->madvise(r.address(), r.size(), advice).has_value() == !holes);
    for (i = 0; i < r.count; ++i) {
      PageModel& page = s.pages[r.at + i];
      if (!page.mapped) continue;
      if (advice == 10 || advice == 11) page.dont_fork = advice == 10;
      if (advice == 18 || advice == 19) page.wipe = advice == 18;
    }
  }

  void populate(SpaceModel& s) {
    Range r = range(10);
    (void)s.space->madvise(r.address(), r.size(), pick(2) ? 22 : 23);
  }

  void access(SpaceModel& s) {
    for (size_t n = 1 + pick(6); n > 0; --n) {
      size_t i = pick(kPages);
      if (pick(2)) {
        read(s, i);
      } else {
        write(s, i);
      }
    }
  }

  void read(SpaceModel& s, size_t i) {
    const PageModel& page = s.pages[i];
    uint64_t value = ~uint64_t{0};
    auto got = copy_in_bytes(*s.space, &value, kBase + i * kPageSize + 40, sizeof value);
    bool can = page.mapped && page.prot != Prot::none && (page.own || !page.beyond());
    INFO("page " << i);
    REQUIRE(got.has_value() == can);
    if (can) REQUIRE(value == page.value());
  }

  void write(SpaceModel& s, size_t i) {
    PageModel& page = s.pages[i];
    uint64_t value = ++next_;
    auto done = copy_out_bytes(*s.space, kBase + i * kPageSize + 40, &value, sizeof value);
    bool can = page.mapped && has(page.prot, Prot::write) && (page.own || !page.beyond());
    INFO("page " << i);
    REQUIRE(done.has_value() == can);
    if (!can) return;
    if (page.shared) {
      (*page.file)[page.file_page]->value = value;
    } else {
      if (!page.own) page.own = std::make_shared<Token>();
      page.own->value = value;
    }
  }

  std::mt19937_64 rng_;
  FakeFile file_;
  std::vector<Cell> contents_;
  std::vector<std::unique_ptr<std::vector<Cell>>> objects_;
  std::vector<SpaceModel> spaces_;
  uint64_t next_ = 0;
};

}  // namespace

TEST_CASE("random mapping calls agree with a model") {
  auto kind = GENERATE(FakeFile::Kind::ram, FakeFile::Kind::tracked_ram, FakeFile::Kind::window);
  fake::start();
  uint64_t objects = fake::counters().live_objects, pages = phys_stats().free_pages;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    {
      Program program(seed, kind);
      for (int i = 0; i < 150; ++i) {
        INFO("seed " << seed << " step " << i);
        program.step();
        program.check();
      }
    }
    reuse_retired_tables();
    REQUIRE(fake::counters().live_objects == objects);
    REQUIRE(phys_stats().free_pages == pages);
  }
}
