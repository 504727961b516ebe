#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "metrics_v1.pb.h"
#include "metrics_v2.pb.h"
#include "oci/host/file_io.h"
#include "shim/cli/address.h"
#include "shim/cli/arguments.h"
#include "shim/host/metrics.h"
#include "shim/host/mounts.h"
#include "shim/io/log_uri.h"
#include "shim/runtime/command.h"

using namespace runsc::shim;
namespace oci = runsc::oci;

TEST_CASE("mount options: flags, propagation, data", "[shim]") {
  const MountArguments overlay = mount_arguments({"index=off", "workdir=/w", "ro", "nosuid", "rprivate"});
  CHECK(overlay.flags == (MS_RDONLY | MS_NOSUID));
  CHECK(overlay.propagation == (MS_PRIVATE | MS_REC));
  CHECK(overlay.data == "index=off,workdir=/w");
  CHECK(mount_arguments({"ro", "rw"}).flags == 0);
  CHECK(mount_arguments({"rbind"}).flags == (MS_BIND | MS_REC));
}

TEST_CASE("overlay options shrink to what lies in one folder", "[shim]") {
  const ShortOptions shorter =
      shorten_overlay("workdir=/s/9/w,lowerdir=/s/12/fs:/s/1/fs:/s/123/fs,upperdir=/s/9/fs");
  CHECK(shorter.folder == "/s/");
  CHECK(shorter.data == "workdir=/s/9/w,lowerdir=12/fs:1/fs:123/fs,upperdir=/s/9/fs");
  CHECK(shorten_overlay("lowerdir=/a/b:/c/d").folder.empty());
  CHECK(shorten_overlay("upperdir=/a").folder.empty());
  CHECK(shorten_overlay("lowerdir=/a/b/c").data == "lowerdir=c");
}

TEST_CASE("streams: pipes, files, programs", "[shim]") {
  CHECK(parse_stream("")->kind == StreamTarget::Kind::none);
  CHECK(parse_stream("/run/x")->kind == StreamTarget::Kind::path);
  CHECK(parse_stream("fifo:///run/x")->path == "/run/x");
  CHECK(parse_stream("file:///a%20b")->path == "/a b");
  const auto program = parse_stream("binary:///bin/log?a=1&b=x%26y&c&d=p+q");
  REQUIRE(program);
  CHECK(program->kind == StreamTarget::Kind::binary);
  CHECK(program->path == "/bin/log");
  using Arguments = std::vector<std::pair<std::string, std::string>>;
  CHECK(program->arguments == Arguments{{"a", "1"}, {"b", "x&y"}, {"c", ""}, {"d", "p q"}});
  for (const char* bad :
       {"relative", "file://relative", "ftp:///x", "binary:///x%zz", "file:///x%00y", "binary://"}) {
    CHECK_FALSE(parse_stream(bad));
  }
}

TEST_CASE("metrics of both versions", "[shim]") {
  const std::string stats = R"({"type": "stats", "id": "x", "data": {
    "cpu": {"usage": {"total": 5000, "user": 3000, "kernel": 2000, "percpu": [1, 2]},
            "throttling": {"periods": 4, "throttledPeriods": 3, "throttledTime": 9000}},
    "memory": {"usage": {"limit": 18446744073709551615, "usage": 77, "failcnt": 2},
               "raw": {"total_inactive_file": 11, "inactive_file": 12, "anon": 13}},
    "pids": {"current": 6, "limit": 100},
    "blkio": {"ioServiceBytesRecursive": [{"major": 8, "minor": 1, "op": "Read", "value": 10},
                                          {"major": 8, "minor": 1, "op": "Write", "value": 20}]},
    "hugetlb": {"2MB": {"usage": 1}}, "network_interfaces": null}})";
  ::io::containerd::cgroups::v1::Metrics v1;
  const auto one = to_metrics(stats, CgroupVersion::one);
  REQUIRE(one);
  CHECK(one->type_url() == "io.containerd.cgroups.v1.Metrics");
  REQUIRE(v1.ParseFromString(one->value()));
  CHECK(v1.cpu().usage().total() == 5000);
  CHECK(v1.cpu().usage().per_cpu_size() == 2);
  CHECK(v1.memory().usage().limit() == UINT64_MAX);
  CHECK(v1.memory().total_inactive_file() == 11);
  CHECK(v1.pids().current() == 6);
  CHECK(v1.blkio().io_service_bytes_recursive(1).value() == 20);
  CHECK(v1.hugetlb(0).pagesize() == "2MB");

  ::io::containerd::cgroups::v2::Metrics v2;
  const auto two = to_metrics(stats, CgroupVersion::two);
  REQUIRE(two);
  CHECK(two->type_url() == "io.containerd.cgroups.v2.Metrics");
  REQUIRE(v2.ParseFromString(two->value()));
  CHECK(v2.cpu().usage_usec() == 5);
  CHECK(v2.cpu().throttled_usec() == 9);
  CHECK(v2.memory().usage() == 77);
  CHECK(v2.memory().inactive_file() == 12);
  CHECK(v2.memory().anon() == 13);
  CHECK(v2.io().usage_size() == 1);
  CHECK(v2.io().usage(0).wbytes() == 20);

  CHECK_FALSE(to_metrics("", CgroupVersion::one));
  CHECK_FALSE(to_metrics("[]", CgroupVersion::one));
  CHECK_FALSE(to_metrics("{\"data\": 5}", CgroupVersion::two));
  CHECK(to_metrics(R"({"data": {"cpu": 3, "memory": [], "pids": "x", "blkio": {"ioServicedRecursive": 4}}})",
                   CgroupVersion::two));
}

TEST_CASE("the command line of containerd", "[shim]") {
  const auto parse = [](std::vector<std::string> args) { return parse_arguments(args); };
  const auto start = parse({"-namespace", "k8s.io", "-address", "/run/c.sock", "-publish-binary",
                            "/usr/bin/containerd", "-id", "abc", "-debug", "start"});
  REQUIRE(start);
  CHECK(start->name_space == "k8s.io");
  CHECK(start->debug);
  CHECK(start->action == "start");
  CHECK(parse({"-v"})->version);
  CHECK_FALSE(parse({"-namespace", "n", "-id", "a", "stop"}));
  CHECK_FALSE(parse({"-namespace", "n", "-id", "../a", "start"}));
  CHECK_FALSE(parse({"-namespace", "", "-id", "a", "start"}));
  CHECK_FALSE(parse({"-namespace", "n", "-id", "a", "start", "delete"}));
}

TEST_CASE("the socket follows from what is served", "[shim]") {
  const std::string path = socket_path("/run/containerd/containerd.sock", "default", "a");
  CHECK(path.starts_with("/run/containerd/s/"));
  CHECK(path == socket_path("/run/containerd/containerd.sock", "default", "a"));
  CHECK(path != socket_path("/run/containerd/containerd.sock", "default", "b"));
  CHECK(path != socket_path("/run/containerd/containerd.sock", "other", "a"));
  CHECK(socket_path("/" + std::string(90, 'x') + "/c.sock", "n", "a").starts_with("/run/containerd/s/"));
  CHECK(path.size() < 92);
}

TEST_CASE("a mount finds its place within the root file system alone", "[shim]") {
  if (::geteuid() != 0) return;
  char name[] = "/tmp/shim-test.XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name);
  std::filesystem::create_directories(folder / "root/inside");
  std::filesystem::create_directories(folder / "outside/target");
  std::filesystem::create_directories(folder / "source");
  REQUIRE(oci::write_file(folder / "source/file", "x"));
  std::filesystem::create_directory_symlink(folder / "outside/target", folder / "root/link");
  const auto mount_at = [&](const char* target) {
    return mount_all({{"none", (folder / "source").string(), target, {"bind", "ro"}}},
                     (folder / "root").string());
  };
  // The child's mount namespace: nothing of this is the host's.
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      ::_exit(1);
    if (!mount_at("/inside")) ::_exit(2);
    if (!std::filesystem::exists(folder / "root/inside/file")) ::_exit(3);
    if (oci::write_file(folder / "root/inside/more", "x")) ::_exit(4);
    if (mount_at("/link")) ::_exit(5);
    if (std::filesystem::exists(folder / "outside/target/file")) ::_exit(6);
    if (mount_at("/missing")) ::_exit(7);
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  std::filesystem::remove_all(folder);
}

TEST_CASE("of many that look for a socket at once one makes it", "[shim]") {
  char name[] = "/tmp/shim-test.XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name);
  for (int round = 0; round < 20; ++round) {
    const std::string path = folder / ("s" + std::to_string(round));
    std::vector<pid_t> children;
    int gate[2], over[2];
    REQUIRE(::pipe(gate) == 0);
    REQUIRE(::pipe(over) == 0);
    for (int i = 0; i < 6; ++i) {
      children.push_back(::fork());
      if (children.back() != 0) continue;
      ::close(gate[1]);
      ::close(over[1]);
      char byte;
      (void)!::read(gate[0], &byte, 1);
      const auto listener = listen_at(path);
      if (!listener) ::_exit(2);
      if (!*listener) ::_exit(0);
      (void)!::read(over[0], &byte, 1);  // serves until all have looked
      ::_exit(1);
    }
    ::close(gate[1]);
    int makers = 0, others = 0;
    while (others < 5) {
      int status = 0;
      if (::wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) break;
      ++others;
    }
    ::close(over[1]);
    for (int status = 0; ::wait(&status) > 0;) makers += WIFEXITED(status) && WEXITSTATUS(status) == 1;
    CHECK(others == 5);
    CHECK(makers == 1);
    ::close(gate[0]);
    ::close(over[0]);
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("a command of the shim dies with it", "[shim]") {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Command command;
    command.args = {"sleep", "1000"};
    command.dies_with_caller = true;
    const auto started = spawn(command);
    const pid_t pid = started ? *started : -1;
    (void)!::write(ends[1], &pid, sizeof pid);
    ::_exit(0);
  }
  pid_t pid = -1;
  REQUIRE(::read(ends[0], &pid, sizeof pid) == sizeof pid);
  REQUIRE(pid > 0);
  int status = 0;
  ::waitpid(child, nullptr, 0);
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(WIFSIGNALED(status));
  Command absent;
  absent.args = {"no-such-program"};
  CHECK_FALSE(spawn(absent));
  ::close(ends[0]);
  ::close(ends[1]);
}
