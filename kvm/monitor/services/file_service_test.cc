// Files beneath a donated directory, through the door of the monitor.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>

#include "kvm/monitor/testing/service_fixture.h"

namespace runsc::monitor {
namespace {

using testing::ScratchDir;
using testing::ServiceFixture;
using testing::set_path;
using testing::set_ranges;

struct FileFixture {
  ScratchDir dir;
  ServiceFixture s{{dir.donate()}};

  Result<hc::HostStat> stat(std::string_view path) {
    return s.call<hc::StatPath>([&](auto& r) { set_path(r, path); });
  }
  Result<hc::OpenPath::Reply> open(std::string_view path, int flags, unsigned mode = 0) {
    return s.call<hc::OpenPath>([&](auto& r) {
      set_path(r.path, path);
      r.flags = static_cast<std::uint32_t>(flags);
      r.mode = mode;
      r.uid = r.gid = ~0U;
    });
  }
  Result<hc::SizeReply> read(hc::Handle handle, std::uint64_t offset, std::uint64_t size) {
    return s.call<hc::Read>([&](auto& r) {
      r.handle = handle;
      r.offset = offset;
      set_ranges(r.ranges, {{ServiceFixture::kBuffer, size}});
    });
  }
};

TEST_CASE("stat, open, read and write beneath a donated directory", "[monitor][files]") {
  FileFixture f;
  f.dir.write("hello", "hello, world");
  ::mkdir((f.dir.path() + "/sub").c_str(), 0750);
  f.dir.write("sub/deep", "deep");
  auto st = f.stat("hello");
  REQUIRE(st);
  CHECK(st->size == 12);
  CHECK((st->mode & S_IFMT) == S_IFREG);
  CHECK((f.stat("")->mode & S_IFMT) == S_IFDIR);
  CHECK(f.stat("sub/deep")->size == 4);
  CHECK(f.stat("none").error() == Errno::noent);
  CHECK(f.stat("hello/x").error() == Errno::notdir);
  auto open = f.open("sub/deep", O_RDWR);
  REQUIRE(open);
  CHECK(open->stat.size == 4);
  CHECK(f.read(open->handle, 1, 100)->size == 3);
  CHECK(std::memcmp(f.s.buffer(), "eep", 3) == 0);
  std::memcpy(f.s.buffer(), "xyz", 3);
  auto written = f.s.call<hc::Write>([&](auto& r) {
    r.handle = open->handle;
    r.offset = 4;
    set_ranges(r.ranges, {{ServiceFixture::kBuffer, 1}, {ServiceFixture::kBuffer + 1, 2}});
  });
  CHECK(written->size == 3);
  CHECK(f.dir.read("sub/deep") == "deepxyz");
  CHECK(f.s.call<hc::Truncate>([&](auto& r) { r.handle = open->handle, r.size = 2; }));
  CHECK(f.dir.read("sub/deep") == "de");
  CHECK(f.s.call<hc::Close>([&](auto& r) { r.handle = open->handle; }));
  CHECK(f.read(open->handle, 0, 1).error() == Errno::badf);
  CHECK(f.s.call<hc::Close>([&](auto& r) { r.handle = open->handle; }).error() == Errno::badf);
}

TEST_CASE("a donated file is opened by its empty path", "[monitor][files]") {
  ScratchDir dir;
  dir.write("one", "content");
  const std::string path = dir.path() + "/one";
  ServiceFixture s{{adopt_donated(UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC))),
                    adopt_donated(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)))}};
  const auto open = [&s](hc::Handle root, std::string_view name, int flags) {
    return s.call<hc::OpenPath>([&](auto& r) {
      set_path(r.path, name, root);
      r.flags = static_cast<std::uint32_t>(flags);
      r.uid = r.gid = ~0U;
    });
  };
  auto opened = open(0, "", O_RDWR);
  REQUIRE(opened);
  CHECK(opened->stat.size == 7);
  auto read = s.call<hc::Read>([&](auto& r) {
    r.handle = opened->handle;
    r.offset = 3;
    set_ranges(r.ranges, {{ServiceFixture::kBuffer, 100}});
  });
  CHECK(read->size == 4);
  CHECK(open(0, "", O_RDONLY | O_DIRECTORY).error() == Errno::notdir);
  CHECK(open(0, "x", O_RDONLY).error() == Errno::notdir);
  CHECK(open(1, "", O_RDWR).error() == Errno::rofs);
  CHECK(open(1, "", O_RDONLY));
  CHECK(open(0, "", O_RDWR | O_TRUNC)->stat.size == 0);
}

TEST_CASE("nothing leads out of a donated directory", "[monitor][files]") {
  FileFixture f;
  ScratchDir outside;
  outside.write("secret", "secret");
  REQUIRE(::symlink(outside.path().c_str(), (f.dir.path() + "/out").c_str()) == 0);
  REQUIRE(::symlink("/etc/passwd", (f.dir.path() + "/abs").c_str()) == 0);
  REQUIRE(::symlink("..", (f.dir.path() + "/up").c_str()) == 0);
  ::mkdir((f.dir.path() + "/sub").c_str(), 0755);
  REQUIRE(::symlink("../hello", (f.dir.path() + "/sub/rel").c_str()) == 0);
  CHECK(f.open("out/secret", O_RDONLY).error() == Errno::loop);
  CHECK(f.stat("out/secret").error() == Errno::loop);
  CHECK(f.open("abs", O_RDONLY).error() == Errno::loop);
  CHECK(f.open("up/x", O_RDONLY).error() == Errno::loop);
  CHECK(f.open("sub/rel", O_RDONLY).error() == Errno::loop);
  CHECK(f.open("../x", O_RDONLY).error() == Errno::inval);
  // The link itself can be looked at and held.
  CHECK((f.stat("out")->mode & S_IFMT) == S_IFLNK);
  CHECK(f.open("abs", O_PATH));
  auto target = f.s.call<hc::ReadLink>([&](auto& r) { set_path(r, "abs"); });
  CHECK(std::string(target->target, target->length) == "/etc/passwd");
  // Creation does not go through a dangling link either.
  REQUIRE(::symlink((outside.path() + "/made").c_str(), (f.dir.path() + "/dangling").c_str()) == 0);
  CHECK(f.open("dangling", O_RDWR | O_CREAT, 0644).error() == Errno::loop);
  CHECK(::access((outside.path() + "/made").c_str(), F_OK) != 0);
  // Nor does a change of mode.
  auto chmod = f.s.call<hc::SetAttr>([&](auto& r) {
    set_path(r.path, "out");
    r.mask = hc::SetAttr::kMode;
    r.mode = 0;
  });
  CHECK(chmod.error() == Errno::opnotsupp);
}

TEST_CASE("files are created with mode, once", "[monitor][files]") {
  FileFixture f;
  mode_t old = ::umask(0);
  auto made = f.open("new", O_RDWR | O_CREAT | O_EXCL, 04711);
  ::umask(old);
  REQUIRE(made);
  CHECK(made->stat.mode == (S_IFREG | 04711));
  CHECK(f.open("new", O_RDWR | O_CREAT | O_EXCL, 0644).error() == Errno::exist);
  CHECK(f.open("new", O_RDWR | O_CREAT, 0644));
  CHECK(f.open("", O_RDWR | O_CREAT, 0644).error() == Errno::isdir);
  CHECK(f.open("", O_RDONLY | O_DIRECTORY));
  CHECK(f.open("new", O_RDONLY | O_DIRECTORY).error() == Errno::notdir);
}

TEST_CASE("devices and sockets are not opened", "[monitor][files]") {
  FileFixture f;
  if (::mknod((f.dir.path() + "/null").c_str(), S_IFCHR | 0666, 0x103) == 0) {
    CHECK(f.open("null", O_RDWR).error() == Errno::nxio);
    CHECK((f.stat("null")->mode & S_IFMT) == S_IFCHR);
    CHECK(f.open("null", O_PATH));
  }
  ::mkfifo((f.dir.path() + "/fifo").c_str(), 0600);
  CHECK(f.open("fifo", O_RDONLY).error() == Errno::perm);
  CHECK(f.open("fifo", O_PATH));
  f.s.services->bounds.host_fifo = true;
  CHECK(f.open("fifo", O_WRONLY).error() == Errno::nxio);
  CHECK(f.open("fifo", O_RDONLY));  // does not wait for a writer
  CHECK(f.open("fifo", O_WRONLY));
}

TEST_CASE("directories are read in parts", "[monitor][files]") {
  FileFixture f;
  std::map<std::string, std::size_t> want;
  for (int i = 0; i < 100; ++i) {
    std::string name = "file-" + std::string(static_cast<std::size_t>(i), 'x') + std::to_string(i);
    f.dir.write(name, std::string(static_cast<std::size_t>(i), 'y'));
    want[name] = static_cast<std::size_t>(i);
  }
  auto open = f.open("", O_RDONLY | O_DIRECTORY);
  REQUIRE(open);
  bool with_stat = GENERATE(false, true);
  std::uint64_t size = GENERATE(512, 4096, 65536);
  std::map<std::string, std::size_t> seen;
  std::uint64_t offset = 0;
  int rounds = 0;
  for (;; ++rounds) {
    REQUIRE(rounds < 200);
    std::memset(f.s.buffer(), 0xee, size + 16);
    auto reply = f.s.call<hc::ReadDir>([&](auto& r) {
      r.handle = open->handle;
      r.with_stat = with_stat;
      r.offset = offset;
      r.buffer = {ServiceFixture::kBuffer, size};
    });
    REQUIRE(reply);
    REQUIRE(f.s.buffer()[size] == std::byte{0xee});
    if (reply->size == 0) break;
    for (std::uint64_t at = 0; at < reply->size;) {
      hc::DirEntry e;
      std::memcpy(&e, f.s.buffer() + at, sizeof e);
      std::string name(reinterpret_cast<const char*>(f.s.buffer()) + at + sizeof e, e.name_length);
      CHECK(e.type == DT_REG);
      CHECK(e.has_stat == (with_stat ? 1 : 0));
      CHECK(seen.emplace(name, e.stat.size).second);
      offset = e.next_offset;
      at += e.record_size;
    }
  }
  CHECK(seen.size() == want.size());
  for (auto& [name, length] : seen) {
    CHECK(want.count(name) == 1);
    if (with_stat) CHECK(length == want[name]);
  }
}

TEST_CASE("names are made, linked, renamed and removed", "[monitor][files]") {
  FileFixture f;
  auto make = [&](std::string_view path, std::uint32_t mode, std::string_view target = "") {
    return f.s.call<hc::MakeNode>([&](auto& r) {
      set_path(r.path, path);
      r.mode = mode;
      r.uid = r.gid = ~0U;
      r.target_length = static_cast<std::uint32_t>(target.size());
      std::memcpy(r.target, target.data(), target.size());
    });
  };
  auto two = [&]<class Call>(std::string_view from, std::string_view to, unsigned flags) {
    return f.s.call<Call>([&](auto& r) {
      set_path(r.from, from);
      set_path(r.to, to);
      r.flags = flags;
    });
  };
  auto unlink = [&](std::string_view path, bool directory) {
    return f.s.call<hc::Unlink>([&](auto& r) {
      set_path(r.path, path);
      r.directory = directory;
    });
  };
  CHECK((make("d", S_IFDIR | 0700)->mode & 0777) == 0700);
  CHECK(make("d", S_IFDIR | 0700).error() == Errno::exist);
  CHECK((make("d/l", S_IFLNK, "../x")->mode & S_IFMT) == S_IFLNK);
  CHECK((make("d/p", S_IFIFO | 0600)->mode & S_IFMT) == S_IFIFO);
  CHECK(make("none/p", S_IFIFO | 0600).error() == Errno::noent);
  f.dir.write("a", "a");
  CHECK(two.operator()<hc::MakeLink>("a", "d/b", 0)->nlink == 2);
  CHECK(two.operator()<hc::Rename>("a", "d/b", 1 /* RENAME_NOREPLACE */).error() == Errno::exist);
  CHECK(two.operator()<hc::Rename>("d/l", "l", 0));
  CHECK(two.operator()<hc::Rename>("l", "d/p", 2 /* RENAME_EXCHANGE */));
  CHECK((f.stat("l")->mode & S_IFMT) == S_IFIFO);
  CHECK(two.operator()<hc::Rename>("l", "d/p", 6 /* RENAME_EXCHANGE | RENAME_WHITEOUT */).error() ==
        Errno::inval);
  CHECK(two.operator()<hc::Rename>("l", "d/p", 8).error() == Errno::inval);
  CHECK(unlink("d", true).error() == Errno::notempty);
  CHECK(unlink("d", false).error() == Errno::isdir);
  CHECK(unlink("d/p", false));
  CHECK(unlink("d/b", false));
  CHECK(unlink("d", true));
  CHECK(unlink("", true).error() == Errno::busy);
}

TEST_CASE("what is written back may be all of a file system, and nothing unknown", "[monitor][files]") {
  FileFixture f;
  f.dir.write("a", "a");
  const auto sync = [&](std::string_view path, uint32_t kind) {
    const auto open = f.open(path, O_RDONLY);
    REQUIRE(open);
    return f.s.call<hc::Sync>([&](auto& r) { r = {open->handle, kind}; });
  };
  for (uint32_t kind = 0; kind <= 2; ++kind) CHECK(sync("a", kind));
  CHECK(sync("", 2));
  CHECK(sync("a", 3).error() == Errno::inval);
}

TEST_CASE("attributes change", "[monitor][files]") {
  FileFixture f;
  f.dir.write("a", "a");
  auto reply = f.s.call<hc::SetAttr>([&](auto& r) {
    set_path(r.path, "a");
    r.mask = hc::SetAttr::kMode | hc::SetAttr::kMtime;
    r.mode = 0611;
    r.mtime_sec = 12345;
    r.mtime_nsec = 678;
  });
  REQUIRE(reply);
  CHECK((reply->mode & 07777) == 0611);
  CHECK(reply->mtime_sec == 12345);
  CHECK(reply->mtime_nsec == 678);
  CHECK(f.s.call<hc::SetAttr>([&](auto& r) { r.mask = hc::SetAttr::kMtimeNow; })->mtime_sec > 1'600'000'000);
}

TEST_CASE("user attributes are kept, others hidden", "[monitor][files]") {
  FileFixture f;
  f.dir.write("a", "a");
  auto set = [&](std::string_view name, std::string_view value, bool remove = false) {
    return f.s.call<hc::SetXattr>([&](auto& r) {
      set_path(r.path, "a");
      r.name_length = static_cast<std::uint32_t>(name.size());
      std::memcpy(r.name, name.data(), name.size());
      r.value_length = remove ? ~0U : static_cast<std::uint32_t>(value.size());
      std::memcpy(r.value, value.data(), value.size());
    });
  };
  auto first = set("user.color", "blue");
  if (!first && first.error() == Errno::opnotsupp) return;  // this file system has none
  REQUIRE(first);
  auto list = f.s.call<hc::ListXattr>([&](auto& r) { set_path(r, "a"); });
  REQUIRE(list);
  CHECK(std::string(reinterpret_cast<char*>(list->value), list->size) == std::string("user.color\0", 11));
  auto got = f.s.call<hc::GetXattr>([&](auto& r) {
    set_path(r.path, "a");
    r.name_length = 10;
    std::memcpy(r.name, "user.color", 10);
  });
  CHECK(std::string(reinterpret_cast<char*>(got->value), got->size) == "blue");
  CHECK(set("user.color", "", true));
  CHECK(set("user.color", "", true).error() == Errno::nodata);
  CHECK(set("security.capability", "x").error() == Errno::opnotsupp);
}

TEST_CASE("regular files show in the window, and nothing else does", "[monitor][files]") {
  FileFixture f;
  f.dir.write("a", std::string(5000, 'w'));
  auto open = f.open("a", O_RDONLY);
  auto map = [&](hc::Handle handle, bool writable, std::uint64_t size) {
    return f.s.call<hc::MapWindow>([&](auto& r) {
      r.handle = handle;
      r.writable = writable;
      r.size = size;
    });
  };
  auto phys = map(open->handle, false, 8192);
  REQUIRE(phys);
  CHECK(*(f.s.guest.memory().host_base() + phys->phys + 4999) == std::byte{'w'});
  CHECK(map(open->handle, true, 4096).error() == Errno::acces);
  auto directory = f.open("", O_RDONLY | O_DIRECTORY);
  CHECK(map(directory->handle, false, 4096).error() == Errno::nodev);
  CHECK(map(77, false, 4096).error() == Errno::badf);
  auto unmap = [&](std::uint64_t at) { return f.s.call<hc::UnmapWindow>([&](auto& r) { r = {at, 8192}; }); };
  CHECK(unmap(phys->phys));
  CHECK(unmap(phys->phys).error() == Errno::inval);
  CHECK(unmap(0).error() == Errno::inval);
}

TEST_CASE("the monitor touches no memory outside of RAM", "[monitor][files]") {
  FileFixture f;
  f.dir.write("a", "aaaa");
  auto open = f.open("a", O_RDWR);
  auto read = [&](std::uint64_t phys, std::uint64_t size) {
    return f.s.call<hc::Read>([&](auto& r) {
      r.handle = open->handle;
      set_ranges(r.ranges, {{phys, size}});
    });
  };
  CHECK(read(f.s.guest.memory().limit() - 4, 4));
  CHECK(read(f.s.guest.memory().limit() - 4, 5).error() == Errno::fault);
  CHECK(read(hostcall::kWindowBase, 4).error() == Errno::fault);
  CHECK(read(~std::uint64_t{0} - 2, 4).error() == Errno::fault);
}

}  // namespace
}  // namespace runsc::monitor
