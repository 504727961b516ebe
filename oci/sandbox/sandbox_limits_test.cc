#include "oci/sandbox/sandbox_limits.h"

#include <catch2/catch.hpp>

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

TEST_CASE("the sentry stays below what the host would kill the sandbox for", "[oci][sandbox]") {
  CHECK(!sandbox_memory(std::nullopt, std::nullopt));
  CHECK(!sandbox_memory(-1, uint64_t{INT64_MAX} & ~uint64_t{4095}));
  const auto own = sandbox_memory(100 * kMib, std::nullopt);
  REQUIRE(own);
  CHECK(*own > 100 * kMib);
  CHECK(*own < static_cast<uint64_t>(100 * kMib + kSandboxMemory));
  // A cgroup around it is narrower.
  const auto around = sandbox_memory(100 * kMib, 110 * kMib);
  REQUIRE(around);
  CHECK(*around < 110 * kMib);
  // A sentry wants to live.
  CHECK(*sandbox_memory(4 * kMib, kMib) >= 16 * kMib);
}

}  // namespace runsc::oci
