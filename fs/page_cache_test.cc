// Bytes of files in memory: holes, truncation, mappings.
#include "mm/address_space.h"
#include "mm/user_copy.h"
#include "tests/unit/fake_host/fs_fixture.h"

namespace runsc::fs {
namespace {

using namespace open_flag;
using testing::error_of;
using testing::Tree;
using testing::write_at;
using namespace std::string_literals;

TEST_CASE("a page index finds what was put into it", "[fs]") {
  Tree t;
  PageIndex index;
  std::vector<mm::Page> pages(64);
  uint64_t places[] = {0, 1, 63, 64, 4095, 4096, uint64_t{1} << 30, (uint64_t{1} << 51) - 1};
  CHECK(index.next(0).page == nullptr);
  for (size_t i = 0; i < std::size(places); ++i) REQUIRE(index.insert(places[i], pages[i]));
  for (size_t i = 0; i < std::size(places); ++i) CHECK(index.find(places[i]) == &pages[i]);
  CHECK(index.find(2) == nullptr);
  CHECK(index.next(2).index == 63);
  CHECK(index.next(4097).index == uint64_t{1} << 30);
  for (uint64_t place : places) CHECK(index.remove(place));
  CHECK(index.count() == 0);
  CHECK(index.find(0) == nullptr);
}

TEST_CASE("sparse files", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  auto file = *t.open("f", rdwr | creat);
  REQUIRE(*write_at(*file, "end", 1 << 20) == 3);
  CHECK(file->get_attr()->size == (1 << 20) + 3);
  CHECK(file->get_attr()->blocks == 8);
  CHECK(*file->seek(0, 3, 0) == 1 << 20);
  CHECK(*file->seek(0, 4, 0) == 0);
  CHECK(error_of(file->seek(2 << 20, 3, 0)) == Errno::nxio);
  std::string all = testing::read_all(*file);
  CHECK(all.size() == (1 << 20) + 3);
  CHECK(all.substr(1 << 20) == "end");
  CHECK(all.find_first_not_of('\0') == 1 << 20);
  REQUIRE(*write_at(*file, std::string(10000, 'a'), 0) == 10000);
  CHECK(file->allocate(3, 100, 9000));
  all = testing::read_all(*file).substr(0, 10000);
  CHECK(all == std::string(100, 'a') + std::string(9000, '\0') + std::string(900, 'a'));
  SetAttr size;
  size.mask = SetAttr::kSize;
  size.size = 50;
  CHECK(file->set_attr(size));
  size.size = 8192;
  CHECK(file->set_attr(size));
  CHECK(testing::read_all(*file) == std::string(50, 'a') + std::string(8142, '\0'));
}

TEST_CASE("the size limit of tmpfs holds", "[fs]") {
  Tree t;
  t.mount_tmpfs("size=64k,nr_inodes=3");
  auto file = *t.open("f", rdwr | creat);
  CHECK(*write_at(*file, std::string(100000, 'x'), 0) == 65536);
  CHECK(error_of(write_at(*file, "x", 65536)) == Errno::nospc);
  CHECK(*write_at(*file, "y", 65535) == 1);
  t.put("g", "");
  t.put("h", "");
  CHECK(t.open_error("i", creat | wronly) == Errno::nospc);
  CHECK(t.unlink("h"));
  dcache_shrink();
  t.put("i", "");
}

// A space with the file mapped at 0x10000000.
struct Mapped {
  Mapped(File& file, uint32_t map_flags, mm::Prot prot, uint64_t size) : space(*mm::AddressSpace::create()) {
    constexpr uint32_t kShared = 1;
    mm::MmapRequest request;
    request.address = 0x10000000;
    request.size = size;
    request.prot = prot;
    request.flags = map_flags;
    request.file = *file.mappable((map_flags & kShared) && file.writable());
    auto at = space->mmap(std::move(request), {});
    REQUIRE(at);
    address = *at;
  }
  std::string read(uint64_t offset, size_t size) {
    std::string s(size, '?');
    auto n = mm::copy_in_some(*space, s.data(), address + offset, size);
    return n ? s.substr(0, *n) : "fault";
  }
  bool write(uint64_t offset, std::string_view s) {
    return mm::copy_out_bytes(*space, address + offset, s.data(), s.size()).has_value();
  }
  Ref<mm::AddressSpace> space;
  uint64_t address;
};
constexpr uint32_t kShared = 1, kPrivate = 2;
constexpr mm::Prot kRw = mm::Prot::read | mm::Prot::write;

TEST_CASE("mappings and calls see the same bytes", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  auto file = *t.open("f", rdwr | creat);
  REQUIRE(write_at(*file, std::string(9000, 'a'), 0));
  Mapped shared(*file, kShared, kRw, 12288), own(*file, kPrivate, kRw, 12288);
  CHECK(shared.read(8990, 20) == std::string(10, 'a') + std::string(10, '\0'));
  CHECK(shared.write(5, "shared"));
  CHECK(testing::read_all(*file).substr(0, 12) == "aaaaashareda"s.substr(0, 11) + "a");
  CHECK(own.read(5, 6) == "shared");
  CHECK(own.write(5, "copied"));
  CHECK(shared.read(5, 6) == "shared");
  REQUIRE(write_at(*file, "WRITE", 4096));
  CHECK(shared.read(4096, 5) == "WRITE");
  CHECK(own.read(4096, 5) == "WRITE");
  SetAttr size;
  size.mask = SetAttr::kSize;
  size.size = 100;
  CHECK(file->set_attr(size));
  CHECK(shared.read(4096, 5) == "fault");
  CHECK(shared.read(99, 3) == "a"s + std::string(2, '\0'));
  // What is written behind the end does not come back when the file grows.
  CHECK(shared.write(200, "ghost"));
  size.size = 8192;
  CHECK(file->set_attr(size));
  CHECK(shared.read(200, 5) == std::string(5, '\0'));
  CHECK(shared.read(4096, 5) == std::string(5, '\0'));
}

TEST_CASE("files of the lower layer are mapped from the window until they are written", "[fs]") {
  testing::HostDir lower;
  std::string big;
  for (int i = 0; i < 3 << 20; ++i) big += static_cast<char>('a' + i / 4096 % 26);
  lower.write("big", big);
  Tree t;
  t.mount_overlay(lower);
  auto reader = *t.open("big", rdonly);
  {
    Mapped text(*reader, kPrivate, mm::Prot::read, big.size());
    uint64_t free_before = mm::phys_stats().free_pages;
    for (uint64_t at = 0; at < big.size(); at += 4096) REQUIRE(text.read(at, 3) == big.substr(at, 3));
    CHECK(free_before - mm::phys_stats().free_pages < 40);  // page tables, no data
    CHECK(testing::read_all(*reader) == big);
    auto writer = *t.open("big", rdwr);
    REQUIRE(write_at(*writer, "changed", 8190));
    big.replace(8190, 7, "changed");
    CHECK(text.read(8190, 7) == "changed");
    CHECK(testing::read_all(*reader) == big);
    Mapped shared(*writer, kShared, kRw, big.size());
    CHECK(shared.read(20480, 3) == big.substr(20480, 3));
    CHECK(shared.write(20480, "MAP"));
    big.replace(20480, 3, "MAP");
    CHECK(text.read(20480, 3) == "MAP");
    CHECK(testing::read_all(*reader) == big);
    SetAttr size;
    size.mask = SetAttr::kSize;
    size.size = 30000;
    CHECK(writer->set_attr(size));
    size.size = 40000;
    CHECK(writer->set_attr(size));
    big = big.substr(0, 30000) + std::string(10000, '\0');
    CHECK(testing::read_all(*reader) == big);
    CHECK(text.read(29998, 4) == big.substr(29998, 4));
  }
  CHECK(lower.read("big").substr(8190, 7) != "changed");
}

}  // namespace
}  // namespace runsc::fs
