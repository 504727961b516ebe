#include "kvm/monitor/kvm_system.h"

#include <fcntl.h>

#include <catch2/catch.hpp>

namespace runsc::monitor {
namespace {

TEST_CASE("the device of this machine is usable", "[monitor][kvm]") {
  auto kvm = KvmSystem::open();
  if (!kvm) FAIL(kvm.error().message);
  CHECK(kvm->max_vcpus() >= 1);
  CHECK(kvm->max_memslots() >= 32);
  CHECK(kvm->vcpu_mmap_size() >= sizeof(kvm_run));
  CHECK(kvm->xsave_size() >= 4096);
  CHECK_FALSE(kvm->supported_cpuid().empty());
  CHECK(kvm->create_vm());
}

TEST_CASE("a missing device is one clear line", "[monitor][kvm]") {
  auto kvm = KvmSystem::open("/nonexistent/kvm");
  REQUIRE_FALSE(kvm);
  CHECK(kvm.error().message == "/nonexistent/kvm: no KVM on this machine (is the kvm module loaded?)");
}

TEST_CASE("a device that is not KVM is named as such", "[monitor][kvm]") {
  auto kvm = KvmSystem::open("/dev/null");
  REQUIRE_FALSE(kvm);
  CHECK(kvm.error().message.find("not a KVM device") != std::string::npos);
}

}  // namespace
}  // namespace runsc::monitor
