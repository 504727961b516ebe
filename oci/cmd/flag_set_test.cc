#include "oci/cmd/flag_set.h"

#include <catch2/catch.hpp>

#include "oci/cmd/options.h"

namespace runsc::oci {
namespace {

using Strings = std::vector<std::string>;

TEST_CASE("flags take one dash or two, and a value after a space or an equals sign", "[oci][flags]") {
  bool quiet = false;
  std::string bundle;
  FlagSet flags;
  flags.boolean("quiet", quiet, "").text("bundle", bundle, "").alias("b");
  for (const Strings& args : {Strings{"--bundle", "x", "id"}, Strings{"-bundle", "x", "id"},
                              Strings{"--bundle=x", "id"}, Strings{"-b=x", "id"}, Strings{"-b", "x", "id"}}) {
    bundle.clear();
    const auto rest = flags.parse(args);
    REQUIRE(rest);
    CHECK(bundle == "x");
    CHECK(*rest == Strings{"id"});
  }
  REQUIRE(flags.parse(Strings{"--quiet", "id"}));
  CHECK(quiet);
  REQUIRE(flags.parse(Strings{"--quiet=false", "id"}));
  CHECK_FALSE(quiet);
}

TEST_CASE("flags end at the first argument or at two dashes", "[oci][flags]") {
  bool quiet = false;
  FlagSet flags;
  flags.boolean("quiet", quiet, "");
  CHECK(*flags.parse(Strings{"ls", "--quiet"}) == Strings{"ls", "--quiet"});
  CHECK_FALSE(quiet);
  CHECK(*flags.parse(Strings{"--", "--quiet"}) == Strings{"--quiet"});
  CHECK(*flags.parse(Strings{"-", "x"}) == Strings{"-", "x"});
  CHECK_FALSE(quiet);
}

TEST_CASE("mistakes in flags are named", "[oci][flags]") {
  bool quiet = false;
  std::string bundle;
  FlagSet flags;
  flags.boolean("quiet", quiet, "").text("bundle", bundle, "");
  CHECK(flags.parse(Strings{"--loud=1"}).error().text == "unknown flag --loud");
  CHECK(flags.parse(Strings{"--bundle"}).error().text == "flag --bundle needs a value");
  CHECK(flags.parse(Strings{"--quiet=perhaps"}).error().text ==
        "flag --quiet: must be true or false, not \"perhaps\"");
}

TEST_CASE("global flags are checked by value", "[oci][flags]") {
  Options options;
  FlagSet flags;
  add_global_flags(flags, options);
  const auto error = [&](const char* arg) {
    const auto result = flags.parse(Strings{arg});
    return result ? std::string() : result.error().text;
  };
  CHECK(error("--network=none").empty());
  CHECK(error("--network=sandbox").empty());
  CHECK(error("--network=host") ==
        "flag --network: \"host\" is not supported: the sandbox has a network stack of its own, use sandbox "
        "or none");
  CHECK(error("--network=bridge") == "flag --network: must be one of sandbox, none, not \"bridge\"");
  CHECK(error("--platform=kvm").empty());
  CHECK_FALSE(error("--platform=systrap").empty());
  CHECK(error("--kvm-mode=ring0").empty());
  CHECK(options.kvm_mode == KvmMode::ring0);
  CHECK(error("--kvm-mode=fast") == "flag --kvm-mode: must be one of auto, ring0, hosted, not \"fast\"");
  CHECK(error("--cpu-num=3").empty());
  CHECK(error("--cpu-num=0") == "flag --cpu-num: must be a number between 1 and 64, not \"0\"");
  CHECK(options.sandbox_flags() == Strings{"--kvm-mode=ring0", "--network=sandbox", "--cpu-num=3"});
  CHECK(flags.usage().find("--kvm-mode MODE") != std::string::npos);
}

}  // namespace
}  // namespace runsc::oci
