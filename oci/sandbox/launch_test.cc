// The parts of the launch that work on the host's own kernel: descriptors, terminals, mounts, privileges.
#include <fcntl.h>
#include <linux/capability.h>
#include <pty.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "oci/host/debug_log.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/home.h"
#include "oci/sandbox/host_tree.h"
#include "oci/sandbox/kernel_mounts.h"
#include "oci/sandbox/privileges.h"
#include "oci/sandbox/report.h"
#include "oci/sandbox/state_dir.h"
#include "oci/sandbox/stdio.h"
#include "oci/sandbox/terminal.h"

namespace runsc::oci {
namespace {

namespace fs = std::filesystem;

// A directory that goes when the test ends.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/runsc-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The exit status of `action` in a child process.
template <typename Action>
int in_child(Action action) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(action());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

bool is_root() { return ::geteuid() == 0; }

TEST_CASE("reports survive the pipe", "[oci][sandbox]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  report_started(ends[1]);
  report_wait_status(ends[1], 9);
  report_error(ends[1], Error{"two\nlines", 128});
  ::close(ends[1]);
  const Expected<std::string> lines = read_all(ends[0], 4096, "pipe");
  ::close(ends[0]);
  REQUIRE(lines);
  Report report;
  read_report(*lines, report);
  CHECK(report.started);
  CHECK(report.wait_status == 9);
  REQUIRE(report.error);
  CHECK(report.error->text == "two lines");
  CHECK(report.error->exit_status == 128);
  Report hostile;
  read_report("e128 \x1b[2Jgone\n", hostile);
  CHECK(hostile.error->text == "?[2Jgone");
  Report nonsense;
  read_report("\nz\nwx\ne\ne999 x\nw123456789012345\ns", nonsense);
  CHECK_FALSE(nonsense.started);
  CHECK_FALSE(nonsense.wait_status);
  CHECK_FALSE(nonsense.error);
}

ContainerState some_state(const char* id) {
  ContainerState state;
  state.id = id;
  state.oci_version = "1.1.0";
  state.status = "creating";
  state.creator = ::getpid();
  state.creator_start_time = process_start_time(::getpid());
  return state;
}

TEST_CASE("a state directory has one owner and goes with it", "[oci][sandbox]") {
  const TemporaryDirectory root;
  const std::string path = root.path() + "/deep/root";
  {
    const Expected<StateDir> first = StateDir::create(path, some_state("c1"));
    REQUIRE(first);
    CHECK(StateDir::create(path, some_state("c1")).error().text == StateDir::already_exists("c1"));
    ContainerState state = some_state("c1");
    state.pid = 42;
    state.start_time = 7;
    state.annotations = {{"a", "b"}};
    state.cgroups = {"/x"};
    REQUIRE(first->write(state));
    const Expected<ContainerState> back = first->read();
    REQUIRE(back);
    CHECK(back->start_time == 7);
    CHECK(back->creator == ::getpid());
    CHECK(back->annotations == state.annotations);
    CHECK(back->cgroups == state.cgroups);
    const Expected<std::string> text = read_file(path + "/c1/state.json", 4096);
    REQUIRE(text);
    CHECK(text->find("\"pid\": 42") != std::string::npos);
    CHECK(StateDir::create(path, some_state("c2")));
  }
  CHECK_FALSE(fs::exists(path + "/c1"));
  for (const char* bad : {"", ".", "..", "a/b", "a b", ".lock", "a\n"}) CHECK_FALSE(StateDir::check_id(bad));
  CHECK(StateDir::check_id("A-z_0.9+"));
}

TEST_CASE("a detached container stays until it is removed", "[oci][sandbox]") {
  const TemporaryDirectory root;
  CHECK(StateDir::open(root.path(), "c1").error().text == StateDir::kAbsent);
  ContainerState state = some_state("c1");
  state.status = "running";
  state.detached = true;
  state.pid = ::getpid();
  state.start_time = process_start_time(::getpid());
  CHECK(is_alive(state));
  {
    Expected<StateDir> first = StateDir::create(root.path(), state);
    REQUIRE(first);
    first->keep();
  }
  CHECK(StateDir::create(root.path(), state).error().text == StateDir::already_exists("c1"));
  CHECK(StateDir::list(root.path()) == std::vector<std::string>{"c1"});
  {
    Expected<StateDir> again = StateDir::open(root.path(), "c1");
    REQUIRE(again);
    state.start_time ^= 1;  // another process has the number
    CHECK_FALSE(is_alive(state));
    CHECK(current_status(*again, state) == "stopped");
    again->remove();
  }
  CHECK_FALSE(fs::exists(root.path() + "/c1"));
  // Nonsense in the file is an error.
  fs::create_directory(root.path() + "/c2");
  for (const char* text : {"", "{", "[]", "{\"id\": 5}"}) {
    REQUIRE(write_file(root.path() + "/c2/state.json", text));
    const Expected<StateDir> broken = StateDir::open(root.path(), "c2");
    REQUIRE(broken);
    CHECK_FALSE(broken->read());
  }
}

TEST_CASE("a state directory that goes while others wait for it is gone for them", "[oci][sandbox]") {
  const TemporaryDirectory root;
  Expected<StateDir> first = StateDir::create(root.path(), some_state("c1"));
  REQUIRE(first);
  Expected<StateDir> looking = StateDir::look(root.path(), "c1");
  REQUIRE(looking);
  CHECK(looking->lock(1).error().text == "another command is at work on the container");
  { const StateDir ended = std::move(*first); }
  CHECK(looking->is_gone());
  CHECK(looking->lock().error().text == StateDir::kAbsent);
  // Whoever holds the old one leaves the new one of that name alone.
  const Expected<StateDir> second = StateDir::create(root.path(), some_state("c1"));
  REQUIRE(second);
  looking->remove();
  { const StateDir old = std::move(*looking); }
  CHECK(second->read());
}

TEST_CASE("the lock of a container's process tells who it is", "[oci][sandbox]") {
  const TemporaryDirectory root;
  const Expected<StateDir> dir = StateDir::create(root.path(), some_state("c1"));
  REQUIRE(dir);
  CHECK(dir->lock_holder() == 0);
  const Expected<UniqueFd> file = dir->open_process_lock();
  REQUIRE(file);
  CHECK(dir->lock_holder() == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (take_process_lock(file->get())) ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, WUNTRACED) == child);
  REQUIRE(WIFSTOPPED(status));
  CHECK(dir->lock_holder() == child);
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  CHECK(dir->lock_holder() == 0);
}

TEST_CASE("home directories come from passwd", "[oci][sandbox]") {
  const std::string text =
      "root:x:0:0:root:/root:/bin/sh\nbroken\nu:x:1000:1000::/home/u:/bin/sh\nshort:x:5\n";
  CHECK(home_from_passwd(text, 0) == "/root");
  CHECK(home_from_passwd(text, 1000) == "/home/u");
  CHECK(home_from_passwd(text, 5).empty());
  CHECK(home_from_passwd("", 0).empty());
}

TEST_CASE("passwd is looked up beneath the root file system, links included", "[oci][sandbox]") {
  const TemporaryDirectory outside;
  const TemporaryDirectory root;
  REQUIRE(write_file(outside.path() + "/passwd", "root:x:0:0::/outside:/bin/sh\n"));
  fs::create_directory(root.path() + "/etc");
  const UniqueFd fd(::open(root.path().c_str(), O_RDONLY | O_DIRECTORY));
  CHECK(home_directory(fd.get(), 0) == "/");
  fs::create_symlink(outside.path() + "/passwd", root.path() + "/etc/passwd");
  CHECK(home_directory(fd.get(), 0) == "/");
  fs::remove(root.path() + "/etc/passwd");
  fs::create_symlink("/inside", root.path() + "/etc/passwd");
  REQUIRE(write_file(root.path() + "/inside", "root:x:0:0::/inside-home:/bin/sh\n"));
  CHECK(home_directory(fd.get(), 0) == "/inside-home");
  fs::remove(root.path() + "/etc/passwd");
  REQUIRE(::mkfifo((root.path() + "/etc/passwd").c_str(), 0600) == 0);
  CHECK(home_directory(fd.get(), 0) == "/");
}

TEST_CASE("a stream is taken without touching the flags others share", "[oci][sandbox]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Expected<UniqueFd> reader = take_stream(ends[0]);
  REQUIRE(reader);
  CHECK((::fcntl(reader->get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(ends[0], F_GETFL) & O_NONBLOCK) == 0);
  ::close(ends[0]);
  ::close(ends[1]);
  const TemporaryDirectory directory;
  const UniqueFd file(::open((directory.path() + "/f").c_str(), O_RDWR | O_CREAT, 0600));
  const Expected<UniqueFd> same = take_stream(file.get());
  REQUIRE(same);
  REQUIRE(::write(same->get(), "abc", 3) == 3);
  CHECK(::lseek(file.get(), 0, SEEK_CUR) == 3);
}

TEST_CASE("raw mode ends with its object", "[oci][sandbox]") {
  int master = -1;
  int slave = -1;
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  termios mode{};
  {
    const Expected<RawTerminal> raw = RawTerminal::enter(slave);
    REQUIRE(raw);
    ::tcgetattr(slave, &mode);
    CHECK((mode.c_lflag & (ECHO | ICANON | ISIG)) == 0);
  }
  ::tcgetattr(slave, &mode);
  CHECK((mode.c_lflag & ECHO) != 0);
  CHECK_FALSE(RawTerminal::enter(-1));
  ::close(master);
  ::close(slave);
}

TEST_CASE("log names are filled in", "[oci][sandbox]") {
  const TemporaryDirectory directory;
  CHECK_FALSE(*open_debug_log("", "boot", "c1"));
  REQUIRE(open_debug_log(directory.path() + "/log.%COMMAND%.%ID%", "boot", "c1"));
  CHECK(fs::exists(directory.path() + "/log.boot.c1"));
  REQUIRE(open_debug_log(directory.path() + "/logs/", "boot", "c1"));
  CHECK(std::distance(fs::directory_iterator(directory.path() + "/logs"), {}) == 1);
  CHECK(log_line(true, "error", "a \"b\"")
            .starts_with("{\"level\":\"error\",\"msg\":\"a \\\"b\\\"\",\"time\":"));
}

TEST_CASE("the sandbox's namespace holds its sources and nothing else", "[oci][sandbox]") {
  if (!is_root()) return;
  const TemporaryDirectory directory;
  fs::create_directory(directory.path() + "/rootfs");
  fs::create_directory(directory.path() + "/volume");
  fs::create_directory(directory.path() + "/mount-point");
  REQUIRE(write_file(directory.path() + "/rootfs/f", "root"));
  REQUIRE(write_file(directory.path() + "/single", "single"));
  const std::vector<HostSource> sources = {
      {directory.path() + "/rootfs", "root.path", true, true, true},
      {directory.path() + "/volume", "mounts[0].source", false, false, false},
      {directory.path() + "/single", "mounts[1].source", false, false, false},
      {directory.path() + "/single", "mounts[2].source", false, true, false},
  };
  const UniqueFd mount_point(::open((directory.path() + "/mount-point").c_str(), O_RDONLY | O_DIRECTORY));
  CHECK(in_child([&] {
          if (!HostTree::make_namespace()) return 8;
          Expected<HostTree> tree = HostTree::build(sources, mount_point.get());
          if (!tree) return 1;
          if (!tree->enter()) return 2;
          const std::vector<UniqueFd>& fds = tree->opened();
          // Nothing of the host is left; the root takes no files.
          if (::access("/etc", F_OK) == 0 || ::access("/proc", F_OK) == 0) return 3;
          if (::mkdir("/x", 0700) == 0 || errno != EROFS) return 4;
          if (::faccessat(fds[0].get(), "f", F_OK, 0) != 0) return 5;
          if (::openat(fds[0].get(), "new", O_CREAT | O_WRONLY, 0600) >= 0 || errno != EROFS) return 6;
          const int created = ::openat(fds[1].get(), "new", O_CREAT | O_WRONLY, 0755);
          if (created < 0) return 7;
          struct statvfs info {};
          if (::fstatvfs(fds[1].get(), &info) != 0) return 8;
          if ((info.f_flag & (ST_NODEV | ST_NOSUID | ST_NOEXEC)) != (ST_NODEV | ST_NOSUID | ST_NOEXEC))
            return 9;
          if (::pwrite(fds[2].get(), "S", 1, 0) != 1) return 10;
          if (::pwrite(fds[3].get(), "S", 1, 0) >= 0) return 11;
          return 0;
        }) == 0);
  CHECK(fs::exists(directory.path() + "/volume/new"));
  CHECK(*read_file(directory.path() + "/single", 100) == "Single");
  CHECK(fs::is_empty(directory.path() + "/mount-point"));
}

TEST_CASE("sources are refused by the field that names them", "[oci][sandbox]") {
  if (!is_root()) return;
  const TemporaryDirectory directory;
  const UniqueFd mount_point(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY));
  const auto error = [&](const HostSource& source) {
    const Expected<HostTree> tree = HostTree::build({source}, mount_point.get());
    return tree ? std::string("accepted") : tree.error().text;
  };
  CHECK(error({"/nowhere/at/all", "root.path", true, true, true}) ==
        "root.path: /nowhere/at/all: No such file or directory");
  CHECK(error({"/etc/passwd", "root.path", true, true, true}) ==
        "root.path: /etc/passwd: is not a directory");
  CHECK(error({"/dev/null", "mounts[0].source", false, false, false}) ==
        "mounts[0].source: /dev/null: is a device, devices are not passed into the sandbox");
}

TEST_CASE("a recursive copy of the host's root brings no kernel file system", "[oci][sandbox]") {
  if (!is_root()) return;
  const TemporaryDirectory directory;
  const UniqueFd mount_point(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY));
  CHECK(
      in_child([&] {
        if (!HostTree::make_namespace()) return 8;
        Expected<HostTree> tree = HostTree::build({{"/", "root.path", true, true, true}}, mount_point.get());
        if (!tree) return 1;
        const int root = tree->opened()[0].get();
        if (::faccessat(root, "proc/self", F_OK, 0) == 0) return 2;
        if (::faccessat(root, "sys/kernel", F_OK, 0) == 0) return 3;
        return 0;
      }) == 0);
  CHECK(is_kernel_file_system("proc"));
  CHECK_FALSE(is_kernel_file_system("ext4"));
}

TEST_CASE("privileges are gone after the drop", "[oci][sandbox]") {
  CHECK(kept_capabilities() ==
        ((1U << CAP_CHOWN) | (1U << CAP_DAC_OVERRIDE) | (1U << CAP_FOWNER) | (1U << CAP_FSETID)));
  if (!is_root()) return;
  CHECK(in_child([] {
          if (!limit_process() || !drop_privileges()) return 1;
          __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
          __user_cap_data_struct data[2] = {};
          if (::syscall(SYS_capget, &header, data) != 0) return 2;
          if ((data[0].effective | data[0].permitted) & ~kept_capabilities()) return 3;
          if (data[1].effective != 0 || data[1].permitted != 0 || data[0].inheritable != 0) return 4;
          if (::mount("none", "/tmp", "tmpfs", 0, nullptr) == 0) return 5;
          if (::mknod("/tmp/runsc-test-device", S_IFCHR | 0600, 0x103) == 0) return 6;
          return 0;
        }) == 0);
}

}  // namespace
}  // namespace runsc::oci
