#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <sstream>

#include "oci/cmd/flag_set.h"
#include "shim/base/log.h"
#include "shim/runtime/options.h"

namespace runsc::shim {
namespace {

// Known from runc's options; without a meaning for a sandbox.
constexpr std::string_view kIgnored[] = {"no_pivot_root", "no_new_keyring", "criu_path", "criu_image_path",
                                         "criu_work_path"};

class Fields {
 public:
  Fields(const toml::table& table, const std::string& name) : table_(table), name_(name) {}

  oci::Expected<void> text(std::string_view key, std::string& target) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return {};
    if (!node->is_string()) return wrong(key, "a string");
    target = node->as_string()->get();
    return {};
  }
  oci::Expected<void> boolean(std::string_view key, bool& target) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return {};
    if (!node->is_boolean()) return wrong(key, "true or false");
    target = node->as_boolean()->get();
    return {};
  }
  oci::Expected<void> number(std::string_view key, uint32_t& target) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return {};
    const int64_t value = node->is_integer() ? node->as_integer()->get() : -1;
    if (value < 0 || value > UINT32_MAX) return wrong(key, "a number of 32 bits");
    target = static_cast<uint32_t>(value);
    return {};
  }
  std::unexpected<oci::Error> wrong(std::string_view key, std::string_view what) const {
    return oci::fail(name_ + ": " + std::string(key) + ": must be " + std::string(what));
  }

 private:
  const toml::table& table_;
  const std::string& name_;
};

// Strings, numbers and booleans are values of flags, as gVisor's users write them.
oci::Expected<void> apply_flags(RuntimeOptions& options, const toml::table& flags, const Fields& fields) {
  for (const auto& [key, node] : flags) {
    std::ostringstream value;
    if (node.is_string()) {
      value << node.as_string()->get();
    } else if (node.is_boolean()) {
      value << (node.as_boolean()->get() ? "true" : "false");
    } else if (node.is_integer()) {
      value << node.as_integer()->get();
    } else {
      return fields.wrong("runsc_config." + std::string(key.str()), "a string, a number, true or false");
    }
    // For the shim itself, whichever way it is written.
    if (key.str() == "allow-flag-override" || key.str() == "allow_flag_override") {
      options.allow_flag_override = OCI_TRY(oci::parse_boolean(value.str()));
      continue;
    }
    options.flags.push_back("--" + std::string(key.str()) + "=" + value.str());
  }
  return {};
}

bool is_known(std::string_view key) {
  for (const std::string_view known : {"binary_name", "root", "log_path", "log_level", "shim_cgroup",
                                       "systemd_cgroup", "io_uid", "io_gid", "runsc_config"}) {
    if (key == known) return true;
  }
  return std::find(std::begin(kIgnored), std::end(kIgnored), key) != std::end(kIgnored);
}

}  // namespace

oci::Expected<void> apply_toml(RuntimeOptions& options, std::string_view text, const std::string& name) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    std::ostringstream why;
    why << parsed.error().description() << " (line " << parsed.error().source().begin.line << ")";
    return oci::fail(name + ": " + why.str());
  }
  const toml::table& table = parsed.table();
  for (const auto& [key, node] : table) {
    if (!is_known(key.str())) log_warning("{}: unknown key {}", name, key.str());
  }
  const Fields fields(table, name);
  OCI_TRY_VOID(fields.text("binary_name", options.binary));
  OCI_TRY_VOID(fields.text("root", options.root));
  OCI_TRY_VOID(fields.text("log_path", options.log_path));
  OCI_TRY_VOID(fields.text("log_level", options.log_level));
  OCI_TRY_VOID(fields.text("shim_cgroup", options.shim_cgroup));
  OCI_TRY_VOID(fields.boolean("systemd_cgroup", options.systemd_cgroup));
  OCI_TRY_VOID(fields.number("io_uid", options.io_uid));
  OCI_TRY_VOID(fields.number("io_gid", options.io_gid));
  const toml::node* flags = table.get("runsc_config");
  if (flags == nullptr) return {};
  if (!flags->is_table()) return fields.wrong("runsc_config", "a table");
  return apply_flags(options, *flags->as_table(), fields);
}

}  // namespace runsc::shim
