#include "shim/runtime/options.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "oci/host/file_io.h"
#include "runc_options.pb.h"
#include "runtime_options.pb.h"
#include "shim/base/log.h"

namespace runsc::shim {
namespace {

constexpr size_t kMaxFile = 1u << 20;
constexpr const char* kConfigAnnotation = "dev.runsc.config-path";
constexpr std::string_view kFlagAnnotations[] = {"dev.runsc.flag.", "dev.gvisor.flag."};
constexpr const char* kSavedOptions = "/shim-options.json";

bool is_flag_name(std::string_view name) {
  return !name.empty() && name.front() != '-' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

oci::Expected<void> apply_runc_options(RuntimeOptions& options, const std::string& bytes) {
  ::containerd::runc::v1::Options message;
  if (!message.ParseFromString(bytes)) return oci::fail("malformed containerd.runc.v1.Options");
  if (!message.binary_name().empty()) options.binary = message.binary_name();
  if (!message.root().empty()) options.root = message.root();
  options.shim_cgroup = message.shim_cgroup();
  options.systemd_cgroup = message.systemd_cgroup();
  options.io_uid = message.io_uid();
  options.io_gid = message.io_gid();
  if (message.no_pivot_root() || message.no_new_keyring()) {
    log_warning("no_pivot_root and no_new_keyring mean nothing to a sandbox");
  }
  return {};
}

oci::Expected<void> apply_file(RuntimeOptions& options, const std::string& path) {
  return apply_toml(options, OCI_TRY(oci::read_file(path, kMaxFile)), path);
}

oci::Expected<void> apply_flag_annotations(RuntimeOptions& options, const Annotations& annotations) {
  for (const auto& [key, value] : annotations) {
    for (const std::string_view prefix : kFlagAnnotations) {
      if (!key.starts_with(prefix)) continue;
      const std::string name = key.substr(prefix.size());
      if (!is_flag_name(name)) return oci::fail("annotation " + key + ": not the name of a flag");
      if (!options.allow_flag_override)
        return oci::fail("annotation " + key +
                         ": flags cannot be changed, use runsc_config.allow-flag-override to allow it");
      options.flags.push_back("--" + name + "=" + value);
    }
  }
  return {};
}

}  // namespace

oci::Expected<RuntimeOptions> read_options(const wire::Any& any, const Annotations& annotations) {
  RuntimeOptions options;
  std::string path;
  std::string body;
  const std::string type = any.type_url().substr(any.type_url().rfind('/') + 1);
  if (type == "containerd.runc.v1.Options") {
    OCI_TRY_VOID(apply_runc_options(options, any.value()));
  } else if (type.ends_with("runtimeoptions.v1.Options")) {
    ::runtimeoptions::v1::Options message;
    if (!message.ParseFromString(any.value())) return oci::fail("malformed runtimeoptions.v1.Options");
    path = message.config_path();
    body = message.config_body();
  } else if (!type.empty()) {
    return oci::fail("options of an unknown type: " + type);
  }
  const auto named = annotations.find(kConfigAnnotation);
  if (named != annotations.end()) path = named->second;
  if (!path.empty()) {
    OCI_TRY_VOID(apply_file(options, path));
  } else if (!body.empty()) {
    OCI_TRY_VOID(apply_toml(options, body, "options"));
  } else if (std::error_code ignored; std::filesystem::exists(kDefaultConfigPath, ignored)) {
    OCI_TRY_VOID(apply_file(options, kDefaultConfigPath));
  }
  // A pod that may choose its file must not thereby allow itself more.
  if (named != annotations.end()) options.allow_flag_override = false;
  OCI_TRY_VOID(apply_flag_annotations(options, annotations));
  return options;
}

oci::Expected<void> save_options(const RuntimeOptions& options, const std::string& bundle) {
  const nlohmann::ordered_json document = {
      {"binary", options.binary},
      {"root", options.root},
      {"systemd_cgroup", options.systemd_cgroup},
      {"flags", options.flags},
  };
  const std::string text = document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
  return oci::write_file(bundle + kSavedOptions, text, 0600);
}

oci::Expected<RuntimeOptions> load_options(const std::string& bundle) {
  const std::string path = bundle + kSavedOptions;
  const nlohmann::json document =
      nlohmann::json::parse(OCI_TRY(oci::read_file(path, kMaxFile)), nullptr, false);
  RuntimeOptions options;
  try {
    options.binary = document.at("binary").get<std::string>();
    options.root = document.at("root").get<std::string>();
    options.systemd_cgroup = document.at("systemd_cgroup").get<bool>();
    options.flags = document.at("flags").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& error) {
    return oci::fail(path + ": " + error.what());
  }
  return options;
}

}  // namespace runsc::shim
