#include "oci/cgroup/cgroup.h"

#include <catch2/catch.hpp>

#include "oci/cgroup/hierarchies.h"

namespace runsc::oci {
namespace {

TEST_CASE("systemd's names of cgroups become paths", "[oci][cgroup]") {
  CHECK(cgroup_path("/a/b") == "/a/b");
  CHECK(cgroup_path("a") == "a");
  CHECK(cgroup_path("system.slice:docker:abc") == "/system.slice/docker-abc.scope");
  CHECK(cgroup_path(":runsc:abc") == "/system.slice/runsc-abc.scope");
  CHECK(cgroup_path("-.slice:x:y") == "/x-y.scope");
  CHECK(cgroup_path("kubepods-burstable-pod1.slice:cri-containerd:id") ==
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-id.scope");
  CHECK(cgroup_path("a.slice::b.slice") == "/a.slice/b.slice");
}

TEST_CASE("hierarchies are read from what the kernel tells", "[oci][cgroup]") {
  const std::string v1 =
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  const auto both = read_hierarchies(v1, "4:memory:/own\n2:cpu,cpuacct:/\n1:name=systemd:/x\n0::/\n");
  REQUIRE(both.size() == 2);
  CHECK(both[0].mount_point == "/sys/fs/cgroup/cpu,cpuacct");
  CHECK(both[0].own == "/");
  CHECK(both[1].own == "/own");
  CHECK_FALSE(both[1].unified);
  const auto pure = read_hierarchies("30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/a/b\n");
  REQUIRE(pure.size() == 1);
  CHECK(pure[0].unified);
  CHECK(pure[0].own == "/a/b");
  CHECK(read_hierarchies("", "").empty());
  CHECK(read_hierarchies("x - \n - cgroup\n", ":::\n\n").empty());
}

}  // namespace
}  // namespace runsc::oci
