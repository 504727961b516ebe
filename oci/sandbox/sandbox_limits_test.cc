#include "oci/sandbox/sandbox_limits.h"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "oci/cgroup/cgroup.h"

namespace runsc::oci {
namespace {

constexpr int64_t kMib = int64_t{1} << 20;

Spec annotated(const char* type) {
  Spec spec;
  spec.linux_.resources.cpu_shares = 2;
  spec.annotations = {{"io.kubernetes.cri.container-type", type},
                      {"io.kubernetes.cri.sandbox-memory", "134217728"},
                      {"io.kubernetes.cri.sandbox-cpu-quota", "50000"},
                      {"io.kubernetes.cri.sandbox-cpu-period", "100000"},
                      {"io.kubernetes.cri.sandbox-cpu-shares", "512"}};
  return spec;
}

}  // namespace

TEST_CASE("the cgroups of a pod's sandbox have what is annotated of the pod", "[oci][sandbox]") {
  const auto resources = sandbox_resources(annotated("sandbox"));
  REQUIRE(resources);
  CHECK(resources->memory_limit == 128 * kMib);
  CHECK(resources->cpu_quota == 50'000);
  CHECK(resources->cpu_period == 100'000);
  CHECK(resources->cpu_shares == 512);
}

TEST_CASE("what is annotated of the pod is not for its containers, nor is what says nothing",
          "[oci][sandbox]") {
  const auto member = sandbox_resources(annotated("container"));
  REQUIRE(member);
  CHECK(!member->memory_limit);
  CHECK(member->cpu_shares == 2);
  Spec spec = annotated("sandbox");
  spec.annotations["io.kubernetes.cri.sandbox-memory"] = "0";
  spec.annotations["io.kubernetes.cri.sandbox-cpu-quota"] = "-1";
  const auto none = sandbox_resources(spec);
  REQUIRE(none);
  CHECK(!none->memory_limit);
  CHECK(!none->cpu_quota);
  spec.annotations["io.kubernetes.cri.sandbox-memory"] = "much";
  const auto refused = sandbox_resources(spec);
  REQUIRE(!refused);
  CHECK(refused.error().text.find("sandbox-memory\"]: must be a number") != std::string::npos);
}

TEST_CASE("CRI-O annotates a pod's limits as one document", "[oci][sandbox]") {
  for (const char* key : {"pod-linux-resources.crio.io", "io.kubernetes.cri-o.PodLinuxResources"}) {
    Spec spec;
    spec.annotations = {
        {"io.kubernetes.cri-o.ContainerType", "sandbox"},
        {key,
         R"({"cpu_period":100000,"cpu_quota":50000,"cpu_shares":512,"memory_limit_in_bytes":134217728})"}};
    const auto resources = sandbox_resources(spec);
    REQUIRE(resources);
    CHECK(resources->memory_limit == 128 * kMib);
    CHECK(resources->cpu_quota == 50'000);
    CHECK(resources->cpu_period == 100'000);
    CHECK(resources->cpu_shares == 512);
    spec.annotations[key] = "{}";
    CHECK(!sandbox_resources(spec)->memory_limit);
    for (const char* bad : {"wrong", "[1]", R"({"cpu_quota": "much"})"}) {
      spec.annotations[key] = bad;
      CHECK(!sandbox_resources(spec));
    }
    spec.annotations["io.kubernetes.cri-o.ContainerType"] = "container";
    CHECK(sandbox_resources(spec));
  }
}

TEST_CASE("the sentry stays below what the host would kill the sandbox for", "[oci][sandbox]") {
  CHECK(!sandbox_memory(std::nullopt, std::nullopt));
  CHECK(!sandbox_memory(-1, uint64_t{INT64_MAX} & ~uint64_t{4095}));
  const auto own = sandbox_memory(100 * kMib, std::nullopt);
  REQUIRE(own);
  CHECK(*own > 100 * kMib);
  CHECK(*own < static_cast<uint64_t>(100 * kMib + sandbox_overhead(100 * kMib)));
  // What is kept of each page, and the host's tables, grow with the memory.
  const int64_t large = 64'000 * kMib;
  CHECK(*sandbox_memory(large, std::nullopt) > static_cast<uint64_t>(large + large / 128));
  CHECK(*sandbox_memory(std::nullopt, large) < static_cast<uint64_t>(large - large / 128));
  // A cgroup around it is narrower.
  const auto around = sandbox_memory(100 * kMib, 110 * kMib);
  REQUIRE(around);
  CHECK(*around < 110 * kMib);
  // A sentry wants to live.
  CHECK(*sandbox_memory(4 * kMib, kMib) >= 16 * kMib);
}

TEST_CASE("an update heeds the cgroups around the sandbox's own", "[oci][sandbox]") {
  char name[] = "/tmp/limits-test.XXXXXX";
  const std::string root = ::mkdtemp(name);
  const auto make = [&](const std::string& path, const char* file, const char* limit) {
    std::filesystem::create_directories(root + path);
    std::ofstream(root + path + "/cgroup.procs");
    if (limit) std::ofstream(root + path + "/" + file) << limit;
  };
  make("/v1", "memory.limit_in_bytes", "9223372036854771712\n");
  make("/v1/pod", "memory.limit_in_bytes", "209715200\n");
  make("/v1/pod/own", "memory.limit_in_bytes", "104857600\n");
  make("/v2", "memory.max", nullptr);
  make("/v2/pod", "memory.max", "max\n");
  make("/v2/pod/own", "memory.max", "1000\n");
  CHECK(memory_limit_above({root + "/v1/pod/own"}) == 200 * kMib);
  CHECK(memory_limit_above({"=" + root + "/v1/pod/own", root + "/v2/pod/own"}) == 200 * kMib);
  CHECK(!memory_limit_above({root + "/v2/pod/own"}));
  CHECK(!memory_limit_above({}));
  std::filesystem::remove_all(root);
}

}  // namespace runsc::oci
