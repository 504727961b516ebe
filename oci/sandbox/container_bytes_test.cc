#include "oci/sandbox/container_bytes.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "kvm/hostcall/container_spec.h"
#include "oci/spec/default_spec.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

using hostcall::ContainerReader;
using hostcall::MountKind;
using nlohmann::json;

Spec parse(const json& document) {
  Expected<Spec> spec = parse_spec(document.dump());
  if (!spec) FAIL(spec.error().text);
  return *std::move(spec);
}

json base() { return json::parse(default_spec({"sh", "-c", "true"}).dump()); }

std::vector<std::string> read_strings(ContainerReader& reader) {
  std::vector<std::string> strings(reader.u32());
  for (std::string& text : strings) text = reader.string();
  return strings;
}

struct MountRead {
  std::string destination;
  MountKind kind;
  uint32_t handle;
  uint64_t flags;
  std::string data;
};

// From the terminal to the end.
void check_files(ContainerReader& reader, const Spec& spec) {
  CHECK(reader.u32() == 1);  // terminal
  CHECK(reader.u32() == 24);
  CHECK(reader.u32() == 80);
  for (int i = 0; i < 3; ++i) CHECK(reader.u32() == 2);
  CHECK(reader.u32() == 2);  // preserved
  CHECK(reader.u32() == 3);
  CHECK(reader.u32() == 4);
  const hostcall::ProcessAttributes attributes = reader.attributes();
  CHECK(attributes.which ==
        (hostcall::ProcessAttributes::kOomScore | hostcall::ProcessAttributes::kIoPriority));
  CHECK(attributes.oom_score_adj == 0xffffffff);
  CHECK(attributes.io_priority == (2 << 13 | 5));
  CHECK(reader.string().size() % 8 == 0);  // the filter
  CHECK(reader.u32() == 1);
  CHECK(reader.string() == "net/ipv4/ping_group_range");
  CHECK(reader.string() == "0 0");
  CHECK(reader.string() == "its interfaces");
  CHECK(reader.u32() == 0);
  CHECK(reader.u32() == 1);
  CHECK(reader.u32() == 1);
  std::vector<MountRead> mounts(reader.u32());
  for (MountRead& mount : mounts) {
    mount.destination = reader.string();
    mount.kind = static_cast<MountKind>(reader.u32());
    mount.handle = reader.u32();
    mount.flags = reader.u64();
    CHECK(reader.u64() == (mount.kind == MountKind::bind ? MS_SLAVE | MS_REC : 0));
    mount.data = reader.string();
  }
  REQUIRE(mounts.size() == 8);
  CHECK(mounts[0].kind == MountKind::proc);
  CHECK(mounts[1].kind == MountKind::devtmpfs);
  CHECK(mounts[1].data == "mode=755,size=65536k");
  CHECK(mounts[3].kind == MountKind::tmpfs);
  CHECK(mounts[6].kind == MountKind::cgroup);
  CHECK(mounts[7].destination == "/data");
  CHECK(mounts[7].kind == MountKind::bind);
  CHECK(mounts[7].handle == 1);
  CHECK(mounts[7].flags == MS_RDONLY);
  CHECK(reader.u64() == (MS_SHARED | MS_REC));
  REQUIRE(reader.u32() == 2);
  CHECK(reader.string() == "/dev/null");
  const hostcall::DeviceNode device = reader.device_node();
  CHECK(device.type == S_IFCHR);
  CHECK(device.major == 1);
  CHECK(device.minor == 3);
  CHECK(device.which == hostcall::DeviceNode::kMode);
  CHECK(device.mode == 0600);
  CHECK(reader.string() == "/dev/console");
  CHECK(reader.device_node().minor == 1);
  CHECK(read_strings(reader) == spec.linux_.masked_paths);
  CHECK(read_strings(reader) == spec.linux_.readonly_paths);
  CHECK(reader.at_end());
}

TEST_CASE("the sentry reads what config.json says", "[oci][sandbox]") {
  json document = base();
  document["process"]["user"] = {{"uid", 5}, {"gid", 6}, {"umask", 077}, {"additionalGids", {7, 8}}};
  document["mounts"].push_back(
      {{"destination", "/data"}, {"source", "/srv"}, {"options", {"rbind", "ro", "rslave"}}});
  document["process"]["oomScoreAdj"] = -1;
  document["process"]["ioPriority"] = {{"class", "IOPRIO_CLASS_BE"}, {"priority", 5}};
  document["linux"]["sysctl"] = {{"net.ipv4.ping_group_range", "0 0"}};
  document["linux"]["rootfsPropagation"] = "rshared";
  document["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_ALLOW"}};
  document["linux"]["devices"] = {
      {{"path", "/dev/null"}, {"type", "c"}, {"major", 1}, {"minor", 3}, {"fileMode", 0600}}};
  Spec spec = parse(document);
  const Expected<ContainerPlan> plan = plan_container(spec);
  REQUIRE(plan);
  REQUIRE(plan->sources.size() == 2);
  CHECK(plan->sources[0].path == "rootfs");
  CHECK(plan->sources[0].read_only);
  CHECK(plan->sources[1].path == "/srv");
  CHECK(plan->sources[1].recursive);
  CHECK(plan->sources[1].read_only);
  CHECK(plan->sources[1].field == "config.json: mounts[7].source");

  spec.linux_.resources.memory_limit = 64 << 20;
  spec.linux_.resources.pids_limit = -1;
  spec.linux_.resources.cpu_quota = 50'000;
  const std::string bytes =
      container_bytes(spec, *plan, {{24, 80}, true, false, uint64_t{88} << 20, "its interfaces", 2});
  ContainerReader reader(std::as_bytes(std::span(bytes)));
  CHECK(reader.u32() == hostcall::kContainerVersion);
  CHECK(reader.read_handles());
  CHECK(reader.string() == "runsc");
  CHECK(reader.string().empty());
  CHECK(reader.u32() == 1);  // waits
  const hostcall::Limits limits = reader.limits();
  CHECK(limits.which == (hostcall::Limits::kMemory | hostcall::Limits::kTasks | hostcall::Limits::kCpuQuota |
                         hostcall::Limits::kSandbox));
  CHECK(limits.memory == 64 << 20);
  CHECK(limits.tasks == UINT32_MAX);
  CHECK(limits.cpu_quota_us == 50'000);
  CHECK(limits.sandbox_memory == uint64_t{88} << 20);
  CHECK(read_strings(reader) == std::vector<std::string>{"sh", "-c", "true"});
  CHECK(read_strings(reader) == spec.process->env);
  CHECK(reader.string() == "/");
  CHECK(reader.u32() == 5);
  CHECK(reader.u32() == 6);
  CHECK(reader.u32() == 2);
  CHECK(reader.u32() == 7);
  CHECK(reader.u32() == 8);
  CHECK(reader.u32() == 077);
  CHECK(reader.u64() == spec.process->capabilities.effective);
  for (int i = 0; i < 4; ++i) reader.u64();
  CHECK(reader.u32() == 1);  // no_new_privs
  CHECK(reader.u32() == 1);  // rlimits
  reader.u32();
  CHECK(reader.u64() == 1024);
  CHECK(reader.u64() == 1024);
  check_files(reader, spec);
}

TEST_CASE("a container without /dev gets one", "[oci][sandbox]") {
  json document = base();
  document["mounts"] = json::array();
  document["process"]["terminal"] = false;
  Spec spec = parse(document);
  const std::string bytes = container_bytes(spec, *plan_container(spec), {});
  CHECK(bytes.find("/dev") != std::string::npos);
}

TEST_CASE("what the sandbox cannot honour is refused by its path", "[oci][sandbox]") {
  const auto error = [](const char* pointer, const json& value) {
    json document = base();
    document[json::json_pointer(pointer)] = value;
    Spec spec = parse(document);
    const Expected<ContainerPlan> plan = plan_container(spec);
    return plan ? std::string("accepted") : plan.error().text;
  };
  CHECK(error("/mounts/0", {{"destination", "/x"}, {"type", "nfs"}, {"source", "a:/b"}}) ==
        "config.json: mounts[0].type: file system nfs is not supported");
  CHECK(error("/mounts/0", {{"destination", "/.."}, {"type", "tmpfs"}}) ==
        "config.json: mounts[0].destination: must not be /");
  CHECK(error("/linux/namespaces/0", {{"type", "user"}}) ==
        "config.json: linux.namespaces[0]: user namespaces are not supported");
  CHECK(error("/linux/devices",
              json::array({{{"path", "/dev/fuse"}, {"type", "c"}, {"major", 10}, {"minor", 229}}})) ==
        "config.json: linux.devices[0].path: device /dev/fuse is not available in the sandbox");
  CHECK(error("/process", nullptr) == "config.json: process: is required");
  CHECK(error("/linux/sysctl", {{"net.ipv4.ip_unprivileged_port_start", "0"}}) == "accepted");
}

}  // namespace
}  // namespace runsc::oci
