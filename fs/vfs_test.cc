// Names and permissions, over tmpfs.
#include <sys/stat.h>

#include "fs/sync.h"
#include "fs/tmpfs/tmpfs.h"
#include "tests/unit/fake_host/fs_fixture.h"

namespace runsc::fs {
namespace {

using namespace open_flag;
using testing::error_of;
using testing::HostDir;
using testing::Tree;
using Names = std::vector<std::string>;

TEST_CASE("files are made, found, moved and removed", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  t.put("a", "one");
  CHECK(t.get("/a") == "one");
  CHECK(t.open_error("a", creat | excl | wronly) == Errno::exist);
  CHECK(t.open_error("none", rdonly) == Errno::noent);
  CHECK(t.open_error("a/b", rdonly) == Errno::notdir);
  CHECK(t.open_error("a/", rdonly) == Errno::notdir);
  CHECK(t.open_error("new/", creat | wronly) == Errno::isdir);
  CHECK(t.mkdir("d"));
  CHECK(error_of(t.mkdir("d")) == Errno::exist);
  CHECK(t.mkdir("d/e/"));
  CHECK(error_of(t.mkdir("x/y")) == Errno::noent);
  CHECK(t.open_error("d", wronly) == Errno::isdir);
  CHECK(error_of(t.rmdir("d")) == Errno::notempty);
  CHECK(error_of(t.rmdir("a")) == Errno::notdir);
  CHECK(error_of(t.unlink("d")) == Errno::isdir);
  CHECK(error_of(t.rmdir("d/.")) == Errno::inval);
  CHECK(error_of(t.rmdir("d/..")) == Errno::notempty);
  CHECK(t.rename("a", "d/b"));
  CHECK(t.open_error("a", rdonly) == Errno::noent);
  CHECK(t.get("d/b") == "one");
  CHECK(error_of(t.rename("d", "d/e/f")) == Errno::inval);
  CHECK(error_of(t.rename("d/e", "d")) == Errno::notempty);
  CHECK(error_of(t.rename("d/b", "d/e")) == Errno::isdir);
  CHECK(error_of(t.rename("d/e", "d/b")) == Errno::notdir);
  CHECK(t.list("d") == Names{"b", "e"});
  CHECK(t.stat("/")->nlink == 3);
  CHECK(t.stat("d")->nlink == 3);
  CHECK(t.unlink("d/b"));
  CHECK(t.rmdir("d/e"));
  CHECK(t.rmdir("d"));
  CHECK(t.list("/") == Names{});
}

TEST_CASE("symbolic links", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  CHECK(t.mkdir("d"));
  t.put("d/file", "x");
  CHECK(t.symlink("d", "l"));
  CHECK(t.symlink("/d/file", "abs"));
  CHECK(t.symlink("../d/../l/file", "d/far"));
  CHECK(t.get("l/file") == "x");
  CHECK(t.get("abs") == "x");
  CHECK(t.get("l/far") == "x");
  CHECK(t.open_error("abs", rdonly | nofollow) == Errno::loop);
  CHECK((t.stat("l", 0)->mode & kTypeMask) == kSymlink);
  CHECK((t.stat("l/", 0)->mode & kTypeMask) == kDirectory);
  CHECK(t.symlink("b", "a"));
  CHECK(t.symlink("a", "b"));
  CHECK(t.open_error("a", rdonly) == Errno::loop);
  // Open through a dangling link makes its target.
  CHECK(t.symlink("d/made", "dangling"));
  t.put("dangling", "new");
  CHECK(t.get("d/made") == "new");
  CHECK(t.open_error("dangling", creat | excl | wronly) == Errno::exist);
  CHECK(error_of(t.mkdir("dangling")) == Errno::exist);
  // 40 links are fine, 41 are not.
  t.put("n0", "end");
  for (int i = 1; i <= 41; ++i) CHECK(t.symlink("n" + std::to_string(i - 1), "n" + std::to_string(i)));
  CHECK(t.get("n40") == "end");
  CHECK(t.open_error("n41", rdonly) == Errno::loop);
  for (auto& name : t.list("/"))
    if (name != "d") CHECK(t.unlink(name));
}

TEST_CASE("resolution stays where openat2 wants it", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  CHECK(t.mkdir("in"));
  t.put("out", "x");
  t.put("in/file", "y");
  CHECK(t.symlink("/out", "in/abs"));
  CHECK(t.symlink("../out", "in/rel"));
  CHECK(t.symlink("/file", "in/rooted"));
  Path in = *walk(t.context(), t.at(), "in", 0);
  CHECK(error_of(walk(t.context(), in, "abs", kFollow | kBeneath)) == Errno::xdev);
  CHECK(error_of(walk(t.context(), in, "rel", kFollow | kBeneath)) == Errno::xdev);
  CHECK(error_of(walk(t.context(), in, "../out", kFollow | kBeneath)) == Errno::xdev);
  CHECK(walk(t.context(), in, "rooted", kFollow | kInRoot));
  CHECK(walk(t.context(), in, "../../file", kFollow | kInRoot));
  CHECK(error_of(walk(t.context(), in, "rooted", kFollow)) == Errno::noent);
  CHECK(error_of(walk(t.context(), in, "rel", kFollow | kNoSymlinks)) == Errno::loop);
}

TEST_CASE("permissions", "[fs]") {
  Tree t;
  t.mount_tmpfs("mode=755");
  t.put("mine", "x");
  CHECK(t.mkdir("open"));
  SetAttr mode;
  mode.mask = SetAttr::kMode;
  mode.mode = 01777;
  CHECK(change_attr(t.context(), *walk(t.context(), t.at(), "open", 0), mode));
  t.put("open/roots", "x");
  auto user = *t.creds->clone();
  user->fsuid = user->uid = user->euid = 1000;
  user->fsgid = 1000;
  user->effective = 0;
  auto root = t.creds;
  t.creds = user;
  CHECK(t.open_error("new", creat | wronly) == Errno::acces);
  CHECK(t.open_error("mine", wronly) == Errno::acces);
  CHECK(t.get("mine") == "x");
  CHECK(error_of(t.unlink("open/roots")) == Errno::perm);
  t.put("open/users", "y");
  CHECK(t.stat("open/users")->uid == 1000);
  CHECK(error_of(change_attr(t.context(), *walk(t.context(), t.at(), "mine", 0), mode)) == Errno::perm);
  SetAttr owner;
  owner.mask = SetAttr::kUid;
  owner.uid = 0;
  CHECK(error_of(change_attr(t.context(), *walk(t.context(), t.at(), "open/users", 0), owner)) ==
        Errno::perm);
  CHECK(t.unlink("open/users"));
  t.creds = root;
  mode.mode = 0;
  CHECK(change_attr(t.context(), *walk(t.context(), t.at(), "open", 0), mode));
  t.creds = user;
  CHECK(t.open_error("open/roots", rdonly) == Errno::acces);
  t.creds = root;
  CHECK(t.get("open/roots") == "x");
}

TEST_CASE("rename exchanges and refuses to replace", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  CHECK(t.mkdir("d"));
  t.put("d/in", "inner");
  t.put("f", "file");
  CHECK(error_of(t.rename("f", "d", 1)) == Errno::exist);
  CHECK(t.rename("f", "d", 2));
  CHECK(t.get("d") == "file");
  CHECK(t.get("f/in") == "inner");
  CHECK(error_of(t.rename("f", "none", 2)) == Errno::noent);
  CHECK(t.mkdir("p"));
  CHECK(t.rename("f", "p/q"));
  auto dir = *t.open("p/q", rdonly | directory);
  CHECK(path_name(dir->path(), t.fs->root())->view() == "/p/q");
  CHECK(t.rename("p", "r"));
  CHECK(path_name(dir->path(), t.fs->root())->view() == "/r/q");
  CHECK(t.unlink("r/q/in"));
  CHECK(t.rmdir("r/q"));
  CHECK(path_name(dir->path(), t.fs->root())->view() == "/r/q (deleted)");
  CHECK(error_of(make_dir(t.context(), dir->path(), "x", 0777)) == Errno::noent);
}

TEST_CASE("hard links share an inode", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  t.put("a", "one");
  CHECK(t.link("a", "b"));
  CHECK(t.stat("a")->ino == t.stat("b")->ino);
  CHECK(t.stat("a")->nlink == 2);
  CHECK(t.rename("a", "b"));  // nothing happens
  CHECK(t.list("/") == Names{"a", "b"});
  auto file = *t.open("a", rdwr);
  CHECK(t.unlink("a"));
  CHECK(t.unlink("b"));
  CHECK(file->get_attr()->nlink == 0);
  CHECK(testing::read_all(*file) == "one");
  CHECK(t.mkdir("d"));
  CHECK(error_of(t.link("d", "e")) == Errno::perm);
}

TEST_CASE("a tree of any depth goes away at once", "[fs]") {
  constexpr int kDepth = 200'000;
  Ref<SuperBlock> super = Ref<SuperBlock>(TmpfsSuper::create("nr_inodes=1000000").value());
  {
    Ref<Inode> at = super->root();
    NewNode dir;
    dir.mode = kDirectory | 0755;
    for (int i = 0; i < kDepth; ++i) at = at->make_dir("d", dir).value();
  }
  CHECK(super->stat_fs().files - super->stat_fs().free_files >= kDepth);
  super->unmounted();
  CHECK(super->stat_fs().files == super->stat_fs().free_files);
}

int sync_pieces() {
  SyncAll all;
  int pieces = 0;
  while (all.next()) ++pieces;
  return pieces;
}

TEST_CASE("sync reaches the host for directories of it that others share", "[fs]") {
  HostDir dir, lower;
  lower.write("f", "F");
  {
    Tree t;
    t.mount_shared(dir);
    const uint64_t before = fake_host::synced_file_systems();
    CHECK(inode_of(t.at()).super().sync());
    CHECK(fake_host::synced_file_systems() == before + 1);
    // Another place of the same file system of the host.
    Ref<HostSuper> other = HostSuper::create(fake_host::donate(lower.path()), Sharing::shared).value();
    CHECK(sync_pieces() == 1);
    other->unmounted();
    CHECK(fake_host::synced_file_systems() == before + 2);
  }
  Tree t;
  t.mount_overlay(lower);
  const uint64_t before = fake_host::synced_file_systems();
  CHECK(sync_pieces() == 0);
  CHECK(fake_host::synced_file_systems() == before);
}

TEST_CASE("FIFOs of a shared directory are the sandbox's own if it made them", "[fs]") {
  HostDir dir;
  Tree t;
  t.mount_shared(dir);
  REQUIRE(mkfifo((dir.path() + "/theirs").c_str(), 0600) == 0);
  CHECK(t.open_error("theirs", rdonly | nonblock) == Errno::perm);
  REQUIRE(inode_of(t.at()).create("ours", NewNode{kFifo | 0600}));
  CHECK(t.open("ours", rdonly | nonblock));
  CHECK(t.open("ours", rdonly | nonblock));  // looked up again
  CHECK(t.unlink("ours"));
  REQUIRE(mkfifo((dir.path() + "/ours").c_str(), 0600) == 0);
  CHECK(t.open_error("ours", rdonly | nonblock) == Errno::perm);
}

TEST_CASE("the cache of names is bounded", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  dcache_set_limit(500);
  for (int i = 0; i < 3000; ++i) t.put("f" + std::to_string(i), "x");
  CHECK(dcache_size() < 700);
  CHECK(t.list("/").size() == 3000);
  CHECK(t.get("f17") == "x");
  dcache_set_limit(16384);
}

}  // namespace
}  // namespace runsc::fs
