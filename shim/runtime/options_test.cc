#include "shim/runtime/options.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "oci/host/file_io.h"
#include "runc_options.pb.h"
#include "runtime_options.pb.h"
#include "shim/runtime/errors.h"

using namespace runsc::shim;
namespace oci = runsc::oci;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/shim-test.XXXXXX";
    path_ = ::mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name, const std::string& text) const {
    REQUIRE(oci::write_file(path_ + "/" + name, text));
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <typename Message>
runsc::wire::Any pack(const Message& message) {
  runsc::wire::Any any;
  any.set_type_url(message.GetTypeName());
  any.set_value(message.SerializeAsString());
  return any;
}

}  // namespace

TEST_CASE("runsc.toml: every key", "[shim]") {
  RuntimeOptions options;
  REQUIRE(apply_toml(options, R"(
binary_name = "/opt/runsc"
root = "/run/x"
log_path = "/var/log/%ID%.log"
log_level = "debug"
shim_cgroup = "/shims"
systemd_cgroup = true
io_uid = 7
io_gid = 8
unheard_of = [1, 2]
[runsc_config]
network = "none"
strace = true
cpu-num = 3
)",
                     "test"));
  CHECK(options.binary == "/opt/runsc");
  CHECK(options.root == "/run/x");
  CHECK(options.log_path == "/var/log/%ID%.log");
  CHECK(options.log_level == "debug");
  CHECK(options.shim_cgroup == "/shims");
  CHECK(options.systemd_cgroup);
  CHECK(options.io_uid == 7);
  CHECK(options.io_gid == 8);
  CHECK(options.flags == std::vector<std::string>{"--cpu-num=3", "--network=none", "--strace=true"});
}

TEST_CASE("runsc.toml: mistakes are named", "[shim]") {
  const auto error = [](const char* text) {
    RuntimeOptions options;
    const auto result = apply_toml(options, text, "f");
    return result ? "" : result.error().text;
  };
  CHECK(error("root = 5") == "f: root: must be a string");
  CHECK(error("systemd_cgroup = \"yes\"") == "f: systemd_cgroup: must be true or false");
  CHECK(error("io_uid = -1") == "f: io_uid: must be a number of 32 bits");
  CHECK(error("runsc_config = 1") == "f: runsc_config: must be a table");
  CHECK(error("[runsc_config]\na = [1]") == "f: runsc_config.a: must be a string, a number, true or false");
  CHECK_THAT(error("root = \"x\"\n]"), Catch::Contains("line 2"));
}

TEST_CASE("options of both kinds", "[shim]") {
  ::containerd::runc::v1::Options runc;
  runc.set_binary_name("b");
  runc.set_root("/r");
  runc.set_io_uid(3);
  const auto from_runc = read_options(pack(runc), {});
  REQUIRE(from_runc);
  CHECK(from_runc->binary == "b");
  CHECK(from_runc->root == "/r");
  CHECK(from_runc->io_uid == 3);

  const Folder folder;
  ::runtimeoptions::v1::Options file;
  file.set_type_url("io.containerd.runsc.v1.options");
  file.set_config_path(folder.file("a.toml", "binary_name = \"from-file\""));
  const auto from_file = read_options(pack(file), {});
  REQUIRE(from_file);
  CHECK(from_file->binary == "from-file");

  file.clear_config_path();
  file.set_config_body("binary_name = \"from-body\"");
  CHECK(read_options(pack(file), {})->binary == "from-body");

  file.set_config_path("/nonexistent/file.toml");
  CHECK_FALSE(read_options(pack(file), {}));
  runsc::wire::Any unknown;
  unknown.set_type_url("some.other.Options");
  CHECK_FALSE(read_options(unknown, {}));
  runsc::wire::Any broken = pack(runc);
  broken.set_value("\xff\xff\xff");
  CHECK_FALSE(read_options(broken, {}));
}

TEST_CASE("annotations name the file", "[shim]") {
  const Folder folder;
  const std::string path = folder.file("b.toml", "[runsc_config]\ndebug = true\n");
  const auto options = read_options({}, {{"dev.runsc.config-path", path}, {"other", "x"}});
  REQUIRE(options);
  CHECK(options->flags == std::vector<std::string>{"--debug=true"});
}

TEST_CASE("annotations add flags only where the file allows it", "[shim]") {
  const Folder folder;
  const auto with = [&](const std::string& toml, Annotations annotations) {
    ::runtimeoptions::v1::Options file;
    file.set_type_url("io.containerd.runsc.v1.options");
    file.set_config_path(folder.file("c.toml", toml));
    return read_options(pack(file), annotations);
  };
  const Annotations flags = {{"dev.runsc.flag.strace", "true"}, {"dev.gvisor.flag.network", "none"}};
  for (const char* closed : {"", "[runsc_config]\nallow-flag-override = false\n",
                             "[runsc_config]\nallow-flag-override = \"perhaps\"\n"})
    CHECK_FALSE(with(closed, flags));
  for (const char* open : {"[runsc_config]\nallow-flag-override = \"true\"\ndebug = true\n",
                           "[runsc_config]\nallow_flag_override = true\ndebug = true\n"}) {
    const auto options = with(open, flags);
    REQUIRE(options);
    CHECK(options->flags == std::vector<std::string>{"--debug=true", "--network=none", "--strace=true"});
    CHECK_FALSE(with(open, {{"dev.runsc.flag.a b", "x"}}));
    CHECK_FALSE(with(open, {{"dev.runsc.flag.-root", "x"}}));
  }
  // A file that the pod chose allows the pod nothing.
  const std::string own = folder.file("d.toml", "[runsc_config]\nallow-flag-override = true\n");
  CHECK_FALSE(read_options({}, {{"dev.runsc.config-path", own}, {"dev.runsc.flag.strace", "true"}}));
}

TEST_CASE("saved options come back", "[shim]") {
  const Folder folder;
  RuntimeOptions options;
  options.binary = "b";
  options.root = "/r/ns";
  options.flags = {"--x=\"1\""};
  REQUIRE(save_options(options, folder.path()));
  const auto loaded = load_options(folder.path());
  REQUIRE(loaded);
  CHECK(*loaded == options);
  folder.file("shim-options.json", "{\"binary\": 3}");
  CHECK_FALSE(load_options(folder.path()));
  folder.file("shim-options.json", "");
  CHECK_FALSE(load_options(folder.path()));
}

TEST_CASE("containers of a pod share a group", "[shim]") {
  const auto group = [](const char* text) { return group_of(parse_annotations(text).value(), "own"); };
  CHECK(group("{}") == "own");
  CHECK(group(R"({"annotations": null})") == "own");
  CHECK(group(R"({"annotations": {"io.kubernetes.cri.sandbox-id": "pod1"}})") == "pod1");
  CHECK(group(R"({"annotations": {"io.kubernetes.cri-o.SandboxID": "pod2"}})") == "pod2");
  CHECK(
      group(
          R"({"annotations": {"io.containerd.runc.v2.group": "g", "io.kubernetes.cri.sandbox-id": "p"}})") ==
      "g");
  CHECK(group(R"({"annotations": {"io.kubernetes.cri.sandbox-id": "../../x"}})") == "own");
  CHECK(group(R"({"annotations": {"io.kubernetes.cri.sandbox-id": 5}})") == "own");
  CHECK_FALSE(parse_annotations("[]"));
  CHECK_FALSE(parse_annotations("{"));
}

TEST_CASE("names that may become file names and arguments", "[shim]") {
  for (const char* good : {"a", "0", "abc-1_2.3", "A"}) CHECK(is_valid_id(good));
  for (const char* bad : {"", "-a", ".a", "a/b", "a b", "a\n", "\xc3\xa9"}) CHECK_FALSE(is_valid_id(bad));
  CHECK_FALSE(is_valid_id(std::string(200, 'a')));
}

TEST_CASE("the runtime's words become codes", "[shim]") {
  CHECK(runtime_failure("kill", "container does not exist").code == Code::not_found);
  CHECK(runtime_failure("kill", "container not running").code == Code::not_found);
  CHECK(runtime_failure("kill", "os: process already finished").code == Code::not_found);
  CHECK(runtime_failure("create", "container with given ID already exists").code == Code::already_exists);
  CHECK(runtime_failure("exec", "cannot exec in a container that is not running").code ==
        Code::failed_precondition);
  CHECK(runtime_failure("pause", "Container not running").code == Code::failed_precondition);
  CHECK(runtime_failure("create", "no space left on device").code == Code::unknown);
  CHECK(last_error("") == "");
  CHECK(last_error("plain text\n") == "");
  CHECK(last_error("{\"level\":\"error\",\"msg\":\"one\"}\n{\"level\":\"error\",\"msg\":\"two\"}\n"
                   "{\"level\":\"warning\",\"msg\":\"three\"}\n{\"level\":3}\n") == "two");
}
