#include "kvm/monitor/services/valid.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <memory>

#include "kvm/monitor/testing/service_fixture.h"

namespace runsc::monitor {
namespace {

using testing::set_path;

constexpr Bounds kBounds{64 * kMiB, 2};

Errno path_error(std::string_view text) {
  auto path = std::make_unique<hostcall::PathArg>();
  set_path(*path, text);
  auto valid = parse_path(*path);
  return valid ? Errno{} : valid.error();
}

TEST_CASE("paths are plain components", "[monitor][valid]") {
  for (const char* good : {"", "a", "a/b", "...", "..a", "a../.b", "with space/ü"})
    CHECK(path_error(good) == Errno{});
  for (const char* bad : {"/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a/../b", "//"}) {
    CHECK(path_error(bad) == Errno::inval);
  }
  CHECK(path_error(std::string_view("a\0b", 3)) == Errno::inval);
  CHECK(path_error(std::string(4095, 'x')) == Errno{});
  CHECK(path_error(std::string(4096, 'x')) == Errno::nametoolong);
  auto path = std::make_unique<hostcall::PathArg>();
  path->length = ~0U;
  CHECK(parse_path(*path).error() == Errno::nametoolong);
}

TEST_CASE("a path knows its parent and its name", "[monitor][valid]") {
  ValidPath path{0, "a/b/c"};
  CHECK(path.parent() == "a/b");
  CHECK(std::string(path.name()) == "c");
  CHECK_FALSE(path.single());
  ValidPath one{0, "c"};
  CHECK(one.parent().empty());
  CHECK(std::string(one.name()) == "c");
  CHECK(one.single());
}

TEST_CASE("ranges lie in RAM and their sum is bounded", "[monitor][valid]") {
  hostcall::Ranges r{};
  auto parse = [&](std::initializer_list<hostcall::PhysRange> list) {
    testing::set_ranges(r, list);
    return parse_ranges(r, kBounds);
  };
  CHECK(parse({}).value().total == 0);
  CHECK(parse({{0, 64 * kMiB}}).value().total == 64 * kMiB);
  CHECK(parse({{0, 0}, {5, 7}}).value().count == 1);
  CHECK(parse({{0, 64 * kMiB + 1}}).error() == Errno::fault);
  CHECK(parse({{64 * kMiB, 1}}).error() == Errno::fault);
  CHECK(parse({{~std::uint64_t{0}, 2}}).error() == Errno::fault);
  CHECK(parse({{1, ~std::uint64_t{0}}}).error() == Errno::fault);
  CHECK(parse({{hostcall::kWindowBase, 4096}}).error() == Errno::fault);
  r.count = hostcall::kMaxRanges + 1;
  CHECK(parse_ranges(r, kBounds).error() == Errno::inval);
  r.count = hostcall::kMaxRanges;
  for (auto& range : r.at) range = {0, 64 * kMiB};
  CHECK(parse_ranges(r, kBounds).value().total == kMostTransfer);
  testing::set_ranges(r, {{4096, 4096}});
  CHECK(parse_page_ranges(r, kBounds));
  testing::set_ranges(r, {{4096, 4095}});
  CHECK(parse_page_ranges(r, kBounds).error() == Errno::inval);
}

TEST_CASE("open takes the flags it knows", "[monitor][valid]") {
  auto request = std::make_unique<hostcall::OpenPath::Request>();
  set_path(request->path, "f");
  auto error = [&](int flags, unsigned mode = 0) {
    request->flags = static_cast<std::uint32_t>(flags);
    request->mode = mode;
    auto open = parse_open(*request);
    return open ? Errno{} : open.error();
  };
  CHECK(error(O_RDONLY) == Errno{});
  CHECK(error(O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND, 0644) == Errno{});
  CHECK(error(O_PATH | O_DIRECTORY) == Errno{});
  CHECK(error(O_ACCMODE) == Errno::inval);
  CHECK(error(O_EXCL) == Errno::inval);
  CHECK(error(O_CREAT | O_DIRECTORY) == Errno::inval);
  CHECK(error(O_TMPFILE | O_RDWR) == Errno::inval);
  CHECK(error(O_DIRECT) == Errno::inval);
  CHECK(error(O_CREAT, 010000) == Errno::inval);
  request->flags = O_WRONLY;
  request->mode = 0;
  CHECK((parse_open(*request)->flags & (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) ==
        (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

TEST_CASE("no device node is ever made on the host", "[monitor][valid]") {
  auto request = std::make_unique<hostcall::MakeNode::Request>();
  set_path(request->path, "n");
  auto error = [&](std::uint32_t mode) {
    request->mode = mode;
    auto node = parse_make_node(*request);
    return node ? Errno{} : node.error();
  };
  CHECK(error(S_IFDIR | 0755) == Errno{});
  CHECK(error(S_IFIFO | 0600) == Errno{});
  CHECK(error(S_IFREG | 04755) == Errno{});
  CHECK(error(S_IFCHR | 0600) == Errno::perm);
  CHECK(error(S_IFBLK | 0600) == Errno::perm);
  CHECK(error(0644) == Errno::perm);
  CHECK(error(S_IFREG | 0x80000000) == Errno::inval);
  CHECK(error(S_IFLNK) == Errno::inval);  // no target
  request->target_length = 3;
  std::memcpy(request->target, "a\0b", 3);
  CHECK(error(S_IFLNK) == Errno::inval);
  std::memcpy(request->target, "a/b", 3);
  CHECK(error(S_IFLNK) == Errno{});
  request->target_length = hostcall::kMaxPath;
  CHECK(error(S_IFLNK) == Errno::inval);
}

TEST_CASE("times, windows, attributes", "[monitor][valid]") {
  auto attr = std::make_unique<hostcall::SetAttr::Request>();
  attr->mask = hostcall::SetAttr::kAtime | hostcall::SetAttr::kMtimeNow;
  attr->atime_nsec = 999'999'999;
  auto valid = parse_set_attr(*attr);
  REQUIRE(valid);
  CHECK(valid->times[0].tv_nsec == 999'999'999);
  CHECK(valid->times[1].tv_nsec == UTIME_NOW);
  CHECK(valid->uid == ~0U);
  attr->atime_nsec = 1'000'000'000;
  CHECK(parse_set_attr(*attr).error() == Errno::inval);
  attr->mask = 0x80;
  CHECK(parse_set_attr(*attr).error() == Errno::inval);

  CHECK(parse_map_window({0, 0, 0, 4096}));
  CHECK_FALSE(parse_map_window({0, 0, 0, 0}));
  CHECK_FALSE(parse_map_window({0, 0, 1, 4096}));
  CHECK_FALSE(parse_map_window({0, 0, ~std::uint64_t{4095}, 4096}));
  CHECK_FALSE(parse_map_window({0, 0, 0, hostcall::kWindowSize + 4096}));

  auto xattr = std::make_unique<hostcall::XattrRequest>();
  auto name = [&](std::string_view text) {
    xattr->name_length = static_cast<std::uint32_t>(text.size());
    std::memcpy(xattr->name, text.data(), std::min(text.size(), sizeof xattr->name));
    auto x = parse_xattr(*xattr);
    return x ? Errno{} : x.error();
  };
  CHECK(name("user.a") == Errno{});
  CHECK(name("security.capability") == Errno::opnotsupp);
  CHECK(name("trusted.overlay.opaque") == Errno::opnotsupp);
  CHECK(name("") == Errno::range);
  xattr->value_length = 4097;
  CHECK(name("user.a") == Errno::toobig);
}

TEST_CASE("log lines are printable whatever comes", "[monitor][valid]") {
  auto request = std::make_unique<hostcall::Log::Request>();
  std::memcpy(request->text, "a\x1b[2J\nb\n", 8);
  request->length = 8;
  CHECK(parse_log(*request).text == "a.[2J b");
  request->length = ~0U;
  CHECK(parse_log(*request).text.size() <= sizeof request->text);
}

}  // namespace
}  // namespace runsc::monitor
