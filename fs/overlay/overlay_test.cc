// A host directory below, memory above.
#include <filesystem>

#include "tests/unit/fake_host/fs_fixture.h"

namespace runsc::fs {
namespace {

using namespace open_flag;
using testing::error_of;
using testing::HostDir;
using testing::Tree;
using Names = std::vector<std::string>;

struct Lower : HostDir {
  Lower() {
    write("a", "lower a");
    write("b", "lower b");
    mkdir("d");
    write("d/x", "x");
    write("d/y", "y");
    mkdir("d/sub");
    write("d/sub/deep", "deep");
    std::filesystem::create_symlink("d/x", path() + "/link");
  }
};

TEST_CASE("the lower layer shows through and never changes", "[fs]") {
  Lower lower;
  Tree t;
  t.mount_overlay(lower);
  CHECK(t.list("/") == Names{"a", "b", "d", "link"});
  CHECK(t.get("link") == "x");
  CHECK(t.get("d/sub/deep") == "deep");
  uint64_t ino = t.stat("a")->ino;
  auto reader = *t.open("a", rdonly);
  t.put("a", "upper");
  CHECK(t.get("a") == "upper");
  CHECK(testing::read_all(*reader) == "upper");
  CHECK(t.stat("a")->ino == ino);
  auto appender = *t.open("b", wronly | append);
  REQUIRE(testing::write_at(*appender, " and more", 0));
  CHECK(t.get("b") == "lower b and more");
  t.put("new", "n");
  t.put("d/z", "z");
  CHECK(t.list("/") == Names{"a", "b", "d", "link", "new"});
  CHECK(t.list("d") == Names{"sub", "x", "y", "z"});
  CHECK(lower.read("a") == "lower a");
  CHECK(lower.read("b") == "lower b");
  CHECK(!lower.exists("new"));
}

TEST_CASE("removed names stay away, also when they are made again", "[fs]") {
  Lower lower;
  Tree t;
  t.mount_overlay(lower);
  auto open_file = *t.open("d/x", rdonly);
  CHECK(t.unlink("d/x"));
  CHECK(t.open_error("d/x", rdonly) == Errno::noent);
  CHECK(testing::read_all(*open_file) == "x");
  CHECK(t.list("d") == Names{"sub", "y"});
  dcache_shrink();
  CHECK(t.open_error("d/x", rdonly) == Errno::noent);
  t.put("d/x", "again");
  CHECK(t.list("d") == Names{"sub", "x", "y"});
  CHECK(error_of(t.rmdir("d")) == Errno::notempty);
  CHECK(error_of(t.rmdir("d/sub")) == Errno::notempty);
  CHECK(t.unlink("d/sub/deep"));
  CHECK(t.rmdir("d/sub"));
  CHECK(t.unlink("d/x"));
  CHECK(t.unlink("d/y"));
  CHECK(t.rmdir("d"));
  CHECK(t.list("/") == Names{"a", "b", "link"});
  CHECK(t.mkdir("d"));
  CHECK(t.list("d") == Names{});  // opaque
  CHECK(t.open_error("d/y", rdonly) == Errno::noent);
}

TEST_CASE("directories of the lower layer move", "[fs]") {
  Lower lower;
  Tree t;
  t.mount_overlay(lower);
  CHECK(t.mkdir("up"));
  CHECK(t.rename("d", "up/moved"));
  CHECK(t.list("/") == Names{"a", "b", "link", "up"});
  CHECK(t.get("up/moved/sub/deep") == "deep");
  CHECK(t.open_error("d/x", rdonly) == Errno::noent);
  CHECK(t.rename("up/moved/x", "x"));
  dcache_shrink();
  CHECK(t.get("x") == "x");
  CHECK(t.list("up/moved") == Names{"sub", "y"});
  CHECK(t.rename("a", "b"));
  CHECK(t.get("b") == "lower a");
  CHECK(t.list("/") == Names{"b", "link", "up", "x"});
  CHECK(t.rename("up/moved", "d"));
  CHECK(t.list("d") == Names{"sub", "y"});
}

TEST_CASE("attributes stay when names leave the cache", "[fs]") {
  Lower lower;
  Tree t;
  t.mount_overlay(lower);
  SetAttr mode;
  mode.mask = SetAttr::kMode;
  mode.mode = 0600;
  CHECK(change_attr(t.context(), *walk(t.context(), t.at(), "d/sub/deep", 0), mode));
  CHECK(t.link("d/sub/deep", "hard"));
  dcache_shrink();
  CHECK((t.stat("d/sub/deep")->mode & 07777) == 0600);
  CHECK(t.stat("hard")->nlink == 2);
  CHECK(t.stat("hard")->ino == t.stat("d/sub/deep")->ino);
  t.put("hard", "through the link");
  CHECK(t.get("d/sub/deep") == "through the link");
}

TEST_CASE("names and attributes of the lower layer are asked for once", "[fs]") {
  Lower lower;
  Tree t;
  t.mount_overlay(lower);
  CHECK(t.get("d/sub/deep") == "deep");
  CHECK(t.open_error("d/none", rdonly) == Errno::noent);
  uint64_t before = fake_host::calls();
  for (int i = 0; i < 10; ++i) {
    CHECK(t.stat("d/sub/deep")->size == 4);
    CHECK(t.open_error("d/none", rdonly) == Errno::noent);
  }
  CHECK(fake_host::calls() == before);
}

TEST_CASE("a listed directory answers for its names", "[fs]") {
  Lower lower;
  Tree t;
  t.mount_overlay(lower);
  CHECK(t.list("d") == Names{"sub", "x", "y"});
  uint64_t before = fake_host::calls();
  CHECK(t.stat("d/x")->size == 1);
  CHECK((t.stat("d/sub")->mode & kTypeMask) == kDirectory);
  CHECK(t.open_error("d/none", rdonly) == Errno::noent);
  CHECK(fake_host::calls() == before);
}

TEST_CASE("shared directories show what the host does", "[fs]") {
  Lower dir;
  Tree t;
  t.mount_shared(dir);
  CHECK(t.get("a") == "lower a");
  dir.write("a", "host wrote this");
  CHECK(t.get("a") == "host wrote this");
  CHECK(t.open_error("later", rdonly) == Errno::noent);
  dir.write("later", "l");
  CHECK(t.get("later") == "l");
  t.put("made", "by us");
  CHECK(dir.read("made") == "by us");
  CHECK(t.mkdir("dir"));
  CHECK(t.rename("made", "dir/moved"));
  CHECK(dir.read("dir/moved") == "by us");
  CHECK(t.rename("dir", "dir2"));
  CHECK(t.get("dir2/moved") == "by us");
  auto file = *t.open("dir2/moved", rdwr);
  CHECK(t.unlink("dir2/moved"));
  CHECK(testing::read_all(*file) == "by us");
  CHECK(t.rmdir("dir2"));
  CHECK(!dir.exists("dir2"));
  CHECK(t.list("/") == Names{"a", "b", "d", "later", "link"});
  CHECK(error_of(t.rmdir("d")) == Errno::notempty);
}

}  // namespace
}  // namespace runsc::fs
