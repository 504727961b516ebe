#include "oci/spec/parse_parts.h"

namespace runsc::oci {
namespace {

std::vector<Hook> parse_list(const JsonReader& hooks, std::string_view name) {
  std::vector<Hook> result;
  const std::optional<JsonReader> list = hooks.member(name);
  if (!list) return result;
  for_each_element(*list, [&](const JsonReader& item) {
    Hook hook;
    hook.path = item.required("path").absolute_path();
    if (const auto args = item.member("args")) hook.args = args->string_array();
    if (const auto env = item.member("env")) hook.env = env->string_array();
    if (const auto timeout = item.member("timeout")) {
      hook.timeout = static_cast<int>(timeout->integer(1, INT32_MAX));
    }
    result.push_back(std::move(hook));
  });
  return result;
}

}  // namespace

Hooks parse_hooks(const JsonReader& node) {
  Hooks hooks;
  hooks.prestart = parse_list(node, "prestart");
  hooks.create_runtime = parse_list(node, "createRuntime");
  hooks.create_container = parse_list(node, "createContainer");
  hooks.start_container = parse_list(node, "startContainer");
  hooks.poststart = parse_list(node, "poststart");
  hooks.poststop = parse_list(node, "poststop");
  return hooks;
}

std::map<std::string, std::string> parse_string_map(const JsonReader& node) {
  std::map<std::string, std::string> map;
  for (const std::string& name : node.member_names()) {
    if (name.find('\0') != std::string::npos) node.refuse("a key must not contain a NUL character");
    if (const auto value = node.member(name)) map.emplace(name, value->string());
  }
  return map;
}

}  // namespace runsc::oci
