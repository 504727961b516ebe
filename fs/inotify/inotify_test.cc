// Watches and queues of inotify(7); what system calls say is asked by tests/abi.
#include "fs/inotify/inotify.h"

#include "fs/hostfs/host_watch.h"
#include "tests/unit/fake_host/fs_fixture.h"

namespace runsc::fs {
namespace {

using namespace notify_bit;
using testing::error_of;
using testing::HostDir;
using testing::Tree;

struct Seen {
  int wd;
  uint32_t mask;
  std::string name;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> take(Inotify& in) {
  std::vector<Seen> events;
  alignas(8) std::byte room[4096];
  mm::IoBuf buf = mm::IoBuf::kernel(room);
  Result<size_t> n = in.read(buf, 0);
  for (size_t at = 0; n && at < *n;) {
    uint32_t head[4];
    __builtin_memcpy(head, room + at, sizeof head);
    events.push_back({static_cast<int>(head[0]), head[1],
                      head[3] ? reinterpret_cast<const char*>(room + at + sizeof head) : ""});
    at += sizeof head + head[3];
  }
  return events;
}

Inode& inode_at(Tree& t, std::string_view path) { return inode_of(*walk(t.context(), t.at(), path, 0)); }

using Events = std::vector<Seen>;

TEST_CASE("changes of the host are taken a few at a time", "[fs]") {
  HostDir dir;
  Tree t;
  t.mount_shared(dir);
  Ref<Inotify> in = Inotify::create(0, 0).value();
  REQUIRE(in->add(inode_of(t.at()), create));
  constexpr uint64_t kMany = 1000;
  fake_host::put_changes(kMany);
  CHECK(take_host_changes());
  CHECK(fake_host::changes_left() >= kMany - 50);
  while (take_host_changes()) {
  }
  CHECK(fake_host::changes_left() == 0);
}

TEST_CASE("a full queue says so once and goes on when it was read", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  auto in = *Inotify::create(0, 0);
  uint32_t before = inotify_limits().queued_events.exchange(2);
  int wd = *in->add(inode_at(t, "/"), create);
  for (const char* name : {"a", "b", "c", "d"}) t.put(name, "");
  CHECK(take(*in) == Events{{wd, create, "a"}, {wd, create, "b"}, {-1, overflow, ""}});
  CHECK(in->poll() == 0);
  t.put("e", "");
  CHECK(take(*in) == Events{{wd, create, "e"}});
  inotify_limits().queued_events = before;
}

TEST_CASE("a user has so many instances and watches", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  t.put("a", "");
  uint32_t instances = inotify_limits().user_instances.exchange(2);
  uint32_t watches = inotify_limits().user_watches.exchange(2);
  auto one = *Inotify::create(0, 7), two = *Inotify::create(0, 7);
  CHECK(error_of(Inotify::create(0, 7)) == Errno::mfile);
  CHECK(Inotify::create(0, 8));
  CHECK(one->add(inode_at(t, "/"), create));
  CHECK(two->add(inode_at(t, "/"), create));
  CHECK(error_of(two->add(inode_at(t, "a"), attrib)) == Errno::nospc);
  CHECK(two->add(inode_at(t, "/"), attrib));  // the same watch
  one = nullptr;
  CHECK(two->add(inode_at(t, "a"), attrib));
  inotify_limits().user_instances = instances;
  inotify_limits().user_watches = watches;
}

TEST_CASE("an unmounted file system ends its watches", "[fs]") {
  auto in = *Inotify::create(0, 0);
  int wd;
  {
    Tree t;
    t.mount_tmpfs();
    wd = *in->add(inode_at(t, "/"), create);
    CHECK(notify::anybody());
  }
  CHECK(take(*in) == Events{{wd, notify_bit::unmount, ""}, {wd, ignored, ""}});
  CHECK(!notify::anybody());
}

TEST_CASE("a watch on the lower layer outlives the first change", "[fs]") {
  HostDir lower;
  lower.mkdir("d");
  lower.write("d/f", "lower");
  Tree t;
  t.mount_overlay(lower);
  auto in = *Inotify::create(0, 0);
  int f = *in->add(inode_at(t, "d/f"), attrib | remove_self);
  dcache_shrink();
  SetAttr mode;
  mode.mask = SetAttr::kMode;
  mode.mode = 0600;
  CHECK(change_attr(t.context(), *walk(t.context(), t.at(), "d/f", 0), mode));
  CHECK(take(*in) == Events{{f, attrib, ""}});
  dcache_shrink();
  CHECK(t.rename("d", "e"));
  CHECK(t.unlink("e/f"));
  CHECK(take(*in) == Events{{f, attrib, ""}, {f, remove_self, ""}, {f, ignored, ""}});
}

TEST_CASE("a watch for one event goes with it", "[fs]") {
  Tree t;
  t.mount_tmpfs();
  auto in = *Inotify::create(0, 0);
  int wd = *in->add(inode_at(t, "/"), create | oneshot);
  t.put("a", "");
  t.put("b", "");
  CHECK(take(*in) == Events{{wd, create, "a"}, {wd, ignored, ""}});
  CHECK(error_of(in->remove(wd)) == Errno::inval);
}

}  // namespace
}  // namespace runsc::fs
