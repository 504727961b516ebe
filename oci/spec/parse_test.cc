#include "oci/spec/parse.h"

#include <sys/mount.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>

#include "oci/spec/default_spec.h"
#include "oci/spec/mount_options.h"
#include "oci/spec/names.h"

namespace runsc::oci {
namespace {

using nlohmann::json;

json minimal() {
  return json::parse(R"({"ociVersion": "1.0.2", "process": {"args": ["sh"], "cwd": "/"},
                         "root": {"path": "rootfs"}})");
}

// The error of parsing `minimal()` with `pointer` set to `value`.
std::string error_with(const char* pointer, const json& value) {
  json document = minimal();
  document[json::json_pointer(pointer)] = value;
  const Expected<Spec> spec = parse_spec(document.dump());
  return spec ? std::string("accepted") : spec.error().text;
}

Spec parse_with(const char* pointer, const json& value) {
  json document = minimal();
  document[json::json_pointer(pointer)] = value;
  Expected<Spec> spec = parse_spec(document.dump());
  if (!spec) FAIL(spec.error().text);
  return std::move(*spec);
}

TEST_CASE("the default spec parses and means what it says", "[oci][spec]") {
  const Expected<Spec> spec = parse_spec(default_spec({"sh"}).dump());
  REQUIRE(spec);
  REQUIRE(spec->process);
  CHECK(spec->process->terminal);
  CHECK(spec->process->args == std::vector<std::string>{"sh"});
  CHECK(spec->process->no_new_privileges);
  CHECK(spec->process->capabilities.effective == ((1ull << 29) | (1ull << 5) | (1ull << 10)));
  CHECK(spec->process->capabilities.ambient == 0);
  REQUIRE(spec->process->rlimits.size() == 1);
  CHECK(spec->process->rlimits[0].resource == RLIMIT_NOFILE);
  CHECK(spec->root.readonly);
  CHECK(spec->hostname == "runsc");
  REQUIRE(spec->mounts.size() == 7);
  CHECK(spec->mounts[1].flags == (MS_NOSUID | MS_STRICTATIME));
  CHECK(spec->mounts[1].data == "mode=755,size=65536k");
  CHECK(spec->linux_.namespaces.size() == 6);
  CHECK(spec->linux_.masked_paths.size() == 10);
  CHECK(spec->warnings.empty());
}

TEST_CASE("errors name the JSON path", "[oci][spec]") {
  CHECK(error_with("/process/args/0", 1) == "config.json: process.args[0]: must be a string");
  CHECK(error_with("/process/args", json::array()) == "config.json: process.args: must not be empty");
  CHECK(error_with("/process/cwd", "tmp") == "config.json: process.cwd: must be an absolute path");
  CHECK(error_with("/process/terminal", "yes") == "config.json: process.terminal: must be true or false");
  CHECK(error_with("/process/user", json{{"uid", -1}}) ==
        "config.json: process.user.uid: must be an integer between 0 and 4294967295");
  CHECK(error_with("/process/user", json{{"gid", 1.5}}) ==
        "config.json: process.user.gid: must be an integer");
  CHECK(error_with("/process/env", json::array({"A=b", "C"})) ==
        "config.json: process.env[1]: must be of the form NAME=value");
  CHECK(error_with("/root", json::object()) == "config.json: root.path: is required");
  CHECK(error_with("/root/readonly", 0) == "config.json: root.readonly: must be true or false");
  CHECK(error_with("/hostname", std::string(65, 'x')) ==
        "config.json: hostname: must not be longer than 64 bytes");
  CHECK(error_with("/ociVersion", "2.0.0") ==
        "config.json: ociVersion: version 2.0.0 is not supported, only 1.x is");
  CHECK(error_with("/annotations", json{{"a b.c", 1}}) ==
        "config.json: annotations[\"a b.c\"]: must be a string");
  CHECK(error_with("/process/args/0", std::string("a\0b", 3)) ==
        "config.json: process.args[0]: must not contain a NUL character");
  CHECK(error_with("/linux", json{{"namespaces", {{{"type", "pid"}}, {{"type", "pid"}}}}}) ==
        "config.json: linux.namespaces[1]: a second namespace of the same type");
  CHECK(error_with("/linux", json{{"namespaces", {{{"type", "moon"}}}}}) ==
        "config.json: linux.namespaces[0].type: unknown namespace moon");
  CHECK(error_with("/mounts", json{{{"destination", "/x"}, {"type", "bind"}}}) ==
        "config.json: mounts[0]: a bind mount needs a source");
  CHECK(error_with("/mounts", json{{{"destination", "/x"}, {"type", "tmpfs"}, {"options", {"ro", 7}}}}) ==
        "config.json: mounts[0].options[1]: must be a string");
  CHECK(error_with("/linux", json{{"resources", {{"memory", {{"limit", "1G"}}}}}}) ==
        "config.json: linux.resources.memory.limit: must be an integer");
  CHECK(error_with("/linux", json{{"seccomp", {{"defaultAction", "DROP"}}}}) ==
        "config.json: linux.seccomp.defaultAction: unknown value DROP");
  CHECK(error_with("/hooks", json{{"prestart", {{{"path", "x"}}}}}) ==
        "config.json: hooks.prestart[0].path: must be an absolute path");
}

TEST_CASE("rlimits are checked", "[oci][spec]") {
  const auto limit = [](const char* type, uint64_t soft, uint64_t hard) {
    return json{{"type", type}, {"soft", soft}, {"hard", hard}};
  };
  CHECK(error_with("/process/rlimits", json::array({limit("RLIMIT_X", 1, 1)})) ==
        "config.json: process.rlimits[0].type: unknown limit RLIMIT_X");
  CHECK(error_with("/process/rlimits", json::array({limit("RLIMIT_CPU", 2, 1)})) ==
        "config.json: process.rlimits[0]: soft must not be above hard");
  CHECK(error_with("/process/rlimits", json::array({limit("RLIMIT_CPU", 1, 1), limit("RLIMIT_CPU", 1, 1)})) ==
        "config.json: process.rlimits[1].type: a second entry for RLIMIT_CPU");
  const Spec spec = parse_with("/process/rlimits", json::array({limit("RLIMIT_NPROC", 5, UINT64_MAX)}));
  CHECK(spec.process->rlimits[0].hard == UINT64_MAX);
}

TEST_CASE("unknown fields and nulls are ignored, unknown capabilities are warned about", "[oci][spec]") {
  CHECK(error_with("/surprise", json{{"x", {1, 2}}}) == "accepted");
  CHECK(error_with("/process/env", nullptr) == "accepted");
  CHECK(error_with("/mounts", nullptr) == "accepted");
  const Spec spec = parse_with("/process/capabilities", json{{"effective", {"CAP_CHOWN", "CAP_FLY"}}});
  CHECK(spec.process->capabilities.effective == 1);
  REQUIRE(spec.warnings.size() == 1);
  CHECK(spec.warnings[0] == "config.json: process.capabilities.effective[1]: unknown capability CAP_FLY");
  for (int number = 0; number < 41; ++number) CHECK(capability_number(capability_name(number)) == number);
  CHECK(capability_name(41) == nullptr);
}

TEST_CASE("mount options become flags and data", "[oci][spec]") {
  const Spec spec = parse_with(
      "/mounts", json::array({{{"destination", "data/../srv//x/"},
                               {"source", "/host"},
                               {"options", {"rbind", "ro", "nodev", "rslave", "rw", "uid=5", "size=1m"}}},
                              {{"destination", "/.."}, {"type", "tmpfs"}}}));
  REQUIRE(spec.mounts.size() == 2);
  CHECK(spec.mounts[0].destination == "/srv/x");
  CHECK(spec.mounts[0].bind);
  CHECK(spec.mounts[0].recursive);
  CHECK(spec.mounts[0].type == "bind");
  CHECK(spec.mounts[0].flags == MS_NODEV);
  CHECK(spec.mounts[0].propagation == (MS_SLAVE | MS_REC));
  CHECK(spec.mounts[0].data == "uid=5,size=1m");
  CHECK(spec.mounts[1].destination == "/");
  CHECK(clean_path("/a/./b/../c/") == "/a/c");
  CHECK(clean_path("") == "/");
}

TEST_CASE("text that is no JSON, too large or too deep is refused", "[oci][spec]") {
  CHECK_FALSE(parse_spec(""));
  CHECK_FALSE(parse_spec("{"));
  CHECK_FALSE(parse_spec("[]"));
  CHECK_FALSE(parse_spec("{} x"));
  CHECK_FALSE(parse_spec("{\"a\": \"\xff\xfe\"}"));
  CHECK(parse_spec("null").error().text == "config.json: the document: must be an object");
  CHECK(parse_spec(std::string(kMaxSpecBytes + 1, ' ')).error().text ==
        "config.json: larger than 16777216 bytes");
  CHECK(parse_spec(std::string(1 << 20, '[')).error().text == "config.json: nested deeper than 64 levels");
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "{\"a\":";
  CHECK(parse_spec(deep).error().text == "config.json: nested deeper than 64 levels");
  // One line, whatever the file holds.
  const std::string text = parse_spec("{\"ociVersion\": \"9\\n\\u001b[31m\"}").error().text;
  CHECK(text.find('\n') == std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
}

// Every value in the default document is replaced by one of each JSON type in turn.
TEST_CASE("a wrong type anywhere is survived", "[oci][spec]") {
  const json base = json::parse(default_spec({"sh"}).dump());
  const json flat = base.flatten();
  const json replacements[] = {
      nullptr,          true,          -1, 1.5, UINT64_MAX, "", "x", json::array(), json::object(),
      json::array({1}), json{{"a", 1}}};
  size_t refused = 0;
  for (const auto& item : flat.items()) {
    json::json_pointer pointer(item.key());
    while (!pointer.empty()) {
      for (const json& replacement : replacements) {
        json document = base;
        document[pointer] = replacement;
        if (!parse_spec(document.dump())) ++refused;
      }
      pointer.pop_back();
    }
  }
  CHECK(refused > 500);
}

TEST_CASE("mutated bytes are survived", "[oci][spec]") {
  const std::string base = default_spec({"sh"}).dump();
  std::mt19937 random(20261122);
  for (int round = 0; round < 2000; ++round) {
    std::string text = base;
    const int edits = 1 + static_cast<int>(random() % 8);
    for (int i = 0; i < edits && !text.empty(); ++i) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 40);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 60));
          break;
        default:
          text.resize(at);
          break;
      }
    }
    (void)parse_spec(text);
  }
}

}  // namespace
}  // namespace runsc::oci
