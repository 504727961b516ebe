#include "kvm/monitor/services/host_watches.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <filesystem>

#include "kvm/monitor/testing/service_fixture.h"

namespace runsc::monitor {
namespace {

using testing::ScratchDir;
using testing::ServiceFixture;
using testing::set_path;

Result<hc::Watch::Reply> watch(ServiceFixture& s, std::uint32_t number, std::string_view path,
                               std::uint32_t mask) {
  return s.call<hc::Watch>([&](hc::Watch::Request& r) {
    set_path(r.path, path);
    r.watch = number;
    r.mask = mask;
  });
}

// "NUMBER MASK NAME" of each change that waits.
std::vector<std::string> changes(ServiceFixture& s) {
  (void)s.watches.drain();
  std::vector<std::string> all;
  auto reply = s.call<hc::TakeChanges>([](auto&) {});
  REQUIRE(reply);
  for (std::uint32_t at = 0; at < reply->size;) {
    hc::Change change;
    std::memcpy(&change, reply->bytes + at, sizeof change);
    const char* name = reinterpret_cast<const char*>(reply->bytes + at) + sizeof change;
    all.push_back(
        fmt::format("{} {:x} {}", change.watch, change.mask, std::string_view(name, change.name_length)));
    at += hc::change_size(change.name_length);
  }
  CHECK(reply->more == 0);
  return all;
}

Result<hc::Handle> open_for_writing(ServiceFixture& s, std::string_view path) {
  auto reply = s.call<hc::OpenPath>([&](hc::OpenPath::Request& r) {
    set_path(r.path, path);
    r.flags = O_RDWR | O_CREAT;
    r.mode = 0600;
    r.uid = r.gid = ~0U;
  });
  if (!reply) return reply.error();
  return reply->handle;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("changes of others are told, our own are not", "[monitor][files]") {
  ScratchDir dir;
  ServiceFixture s({dir.donate()});
  REQUIRE(watch(s, 7, "", hc::Watch::kKinds));

  dir.write("theirs", "text");
  CHECK(changes(s) == Lines{"7 100 theirs", "7 2 theirs", "7 8 theirs"});

  auto handle = open_for_writing(s, "ours");
  REQUIRE(handle);
  REQUIRE(s.call<hc::Truncate>([&](auto& r) { r.handle = *handle, r.size = 5; }));
  REQUIRE(s.call<hc::Rename>([](hc::TwoPaths& r) { set_path(r.from, "ours"), set_path(r.to, "renamed"); }));
  REQUIRE(s.call<hc::Unlink>([](hc::Unlink::Request& r) { set_path(r.path, "renamed"); }));
  REQUIRE(s.call<hc::Close>([&](auto& r) { r.handle = *handle; }));
  CHECK(changes(s).empty());

  // What others did before one of ours, of the same name, and what they do beside it.
  std::filesystem::remove(dir.path() + "/theirs");
  REQUIRE(s.call<hc::MakeNode>([](hc::MakeNode::Request& r) {
    set_path(r.path, "theirs");
    r.mode = S_IFDIR | 0700;
    r.uid = r.gid = ~0U;
  }));
  CHECK(changes(s) == Lines{"7 200 theirs"});
}

TEST_CASE("two numbers share a watch of the host, and it ends with them", "[monitor][files]") {
  ScratchDir dir;
  dir.write("file", "");
  ServiceFixture s({dir.donate()});
  REQUIRE(watch(s, 1, "file", IN_MODIFY));
  REQUIRE(watch(s, 2, "file", IN_ATTRIB));
  dir.write("file", "text");
  // The host tells both of what either wants.
  CHECK(changes(s) == Lines{"1 2 ", "2 2 "});
  REQUIRE(s.call<hc::Unwatch>([](auto& r) { r.watch = 1; }));
  dir.write("file", "more text");
  CHECK(changes(s) == Lines{"2 2 "});
  REQUIRE(s.call<hc::Unwatch>([](auto& r) { r.watch = 2; }));
  CHECK_FALSE(s.watches.active());
  dir.write("file", "text");
  CHECK(changes(s).empty());
  // And again.
  REQUIRE(watch(s, 3, "file", IN_DELETE_SELF));
  std::filesystem::remove(dir.path() + "/file");
  CHECK(changes(s) == Lines{"3 400 "});
  CHECK_FALSE(s.watches.active());
}

TEST_CASE("a watch of the host ends when nobody wants it, whoever else watches", "[monitor][files]") {
  ScratchDir dir;
  ServiceFixture s({dir.donate()});
  dir.write("kept", "");
  REQUIRE(watch(s, 1, "kept", IN_MODIFY));
  for (std::uint32_t i = 0; i < HostWatches::kMostWatches + 10; ++i) {
    const std::string name = fmt::format("f{}", i);
    dir.write(name, "");
    REQUIRE(watch(s, 2 + i, name, IN_MODIFY));
    REQUIRE(s.call<hc::Unwatch>([&](auto& r) { r.watch = 2 + i; }));
  }
  dir.write("f0", "text");
  dir.write("kept", "text");
  CHECK(changes(s) == Lines{"1 2 "});
}

TEST_CASE("a file that is donated by itself is watched where it is mounted", "[monitor][files]") {
  ScratchDir home, dir;
  dir.write("file", "");
  dir.write("other", "");
  std::filesystem::create_hard_link(dir.path() + "/file", home.path() + "/1");
  home.write("0", "something else");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(home.path());
  {
    auto donated = [&](const char* name) {
      UniqueFd fd(::open((dir.path() + name).c_str(), O_RDWR | O_CLOEXEC));
      return std::make_shared<HostFile>(std::move(fd), StreamKind::none);
    };
    ServiceFixture s({donated("/file"), donated("/other")});
    REQUIRE(watch(s, 5, "", IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB));
    dir.write("file", "text");
    CHECK(changes(s) == Lines{"5 2 ", "5 8 "});
    auto ours = s.call<hc::OpenPath>([](hc::OpenPath::Request& r) {
      set_path(r.path, "");
      r.flags = O_RDWR;
    });
    REQUIRE(ours);
    REQUIRE(s.call<hc::Truncate>([&](auto& r) { r.handle = ours->handle, r.size = 1; }));
    REQUIRE(s.call<hc::Close>([&](auto& r) { r.handle = ours->handle; }));
    CHECK(changes(s).empty());
    CHECK(s.call<hc::Watch>([](hc::Watch::Request& r) {
             set_path(r.path, "");
             r.path.root = 1, r.watch = 6, r.mask = IN_MODIFY;
           }).error() == Errno::opnotsupp);
  }
  std::filesystem::current_path(before);
}

TEST_CASE("the end of a mapping for writing is the container's own", "[monitor][files]") {
  ScratchDir dir;
  dir.write("mapped", std::string(4096, 'm'));
  ServiceFixture s({dir.donate()});
  REQUIRE(watch(s, 1, "", hc::Watch::kKinds));
  auto handle = open_for_writing(s, "mapped");
  REQUIRE(handle);
  auto at = s.call<hc::MapWindow>(
      [&](auto& r) { r.handle = *handle, r.offset = 0, r.size = 4096, r.writable = 1; });
  REQUIRE(at);
  REQUIRE(s.call<hc::Close>([&](auto& r) { r.handle = *handle; }));
  REQUIRE(s.call<hc::UnmapWindow>([&](auto& r) { r = {at->phys, 4096}; }));
  CHECK(changes(s).empty());
}

TEST_CASE("what goes into a FIFO of the host is the container's own change", "[monitor][files]") {
  ScratchDir dir;
  REQUIRE(::mkfifo((dir.path() + "/fifo").c_str(), 0600) == 0);
  ServiceFixture s({dir.donate()});
  s.services->bounds.host_fifo = true;
  REQUIRE(watch(s, 1, "", hc::Watch::kKinds));
  auto fifo = s.call<hc::OpenPath>([](hc::OpenPath::Request& r) {
    set_path(r.path, "fifo");
    r.flags = O_RDWR;
  });
  REQUIRE(fifo);
  auto written = s.call<hc::StreamWrite>([&](auto& r) {
    r.handle = fifo->handle;
    r.ranges.count = 1;
    r.ranges.at[0] = {ServiceFixture::kBuffer, 5};
  });
  REQUIRE(written);
  CHECK(written->size == 5);
  // Not every kernel tells of it.
  CHECK(changes(s).empty());
}

TEST_CASE("changes that nobody takes in time are lost, and that is told", "[monitor][files]") {
  ScratchDir dir;
  ServiceFixture s({dir.donate()});
  REQUIRE(watch(s, 1, "", IN_CREATE));
  for (unsigned i = 0; i < HostWatches::kMostPending + 10; ++i) {
    dir.write(fmt::format("f{}", i), "");
    if (i % 1000 == 0) (void)s.watches.drain();
  }
  (void)s.watches.drain();
  std::size_t taken = 0;
  for (;;) {
    auto reply = s.call<hc::TakeChanges>([](auto&) {});
    REQUIRE(reply);
    for (std::uint32_t at = 0; at < reply->size; ++taken) {
      hc::Change change;
      std::memcpy(&change, reply->bytes + at, sizeof change);
      at += hc::change_size(change.name_length);
    }
    if (reply->more != 0) continue;
    CHECK(reply->overflowed == 1);
    break;
  }
  CHECK(taken == HostWatches::kMostPending);
}

TEST_CASE("what cannot be watched is refused", "[monitor][files]") {
  ScratchDir dir;
  ServiceFixture s({dir.donate()});
  CHECK(watch(s, 0, "", IN_MODIFY).error() == Errno::inval);
  CHECK(watch(s, 1, "", 0).error() == Errno::inval);
  CHECK(watch(s, 1, "", IN_OPEN).error() == Errno::inval);
  CHECK(watch(s, 1, "../etc", IN_MODIFY).error() == Errno::inval);
  CHECK(watch(s, 1, "missing", IN_MODIFY).error() == Errno::noent);
  CHECK(changes(s).empty());
}

}  // namespace runsc::monitor
