#include "oci/spec/parse.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "oci/spec/parse_parts.h"

namespace runsc::oci {
namespace {

using nlohmann::json;

// Linux's __NEW_UTS_LEN.
constexpr size_t kMaxHostname = 64;

json read_document(std::string_view text) {
  if (text.size() > kMaxSpecBytes) {
    throw SpecError("larger than " + std::to_string(kMaxSpecBytes) + " bytes");
  }
  const auto bound_depth = [](int depth, json::parse_event_t event, json&) {
    const bool opens =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= kMaxSpecDepth) {
      throw SpecError("nested deeper than " + std::to_string(kMaxSpecDepth) + " levels");
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), bound_depth);
  } catch (const json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, ...": the bracket says nothing to a user.
    std::string_view reason = error.what();
    if (const size_t bracket = reason.find("] "); bracket != std::string_view::npos) {
      reason.remove_prefix(bracket + 2);
    }
    throw SpecError(std::string(reason));
  }
}

// The text in an error comes from the file: keep it one printable line.
std::string one_line(std::string_view text) {
  constexpr size_t kLongest = 400;
  std::string line;
  for (const char c : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    line += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  if (text.size() > kLongest) line += "...";
  return line;
}

// MAJOR.MINOR.PATCH, and what comes behind a minus or a plus (semver.org).
bool is_semantic_version(std::string_view text) {
  const size_t more = text.find_first_of("-+");
  if (more != std::string_view::npos) {
    const std::string_view behind = text.substr(more + 1);
    constexpr std::string_view kAllowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-+";
    if (behind.empty() || behind.find_first_not_of(kAllowed) != std::string_view::npos) return false;
    text = text.substr(0, more);
  }
  for (int part = 0; part < 3; ++part) {
    const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || (digits > 1 && text[0] == '0')) return false;
    text.remove_prefix(digits);
    if (part == 2) return text.empty();
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  return false;
}

std::string parse_version(const JsonReader& root) {
  const JsonReader field = root.required("ociVersion");
  std::string version = field.string();
  if (!is_semantic_version(version)) field.refuse("must be a version such as 1.0.2, not " + version);
  // 1.anything is the version of this parser.
  if (!version.starts_with("1.")) field.refuse("version " + version + " is not supported, only 1.x is");
  return version;
}

std::string parse_host_name(const JsonReader& root, std::string_view name) {
  const std::optional<JsonReader> field = root.member(name);
  if (!field) return {};
  std::string text = field->string();
  if (text.size() > kMaxHostname) field->refuse("must not be longer than 64 bytes");
  return text;
}

Root parse_root(const JsonReader& document) {
  const JsonReader field = document.required("root");
  Root root;
  root.path = field.required("path").non_empty_string();
  if (const auto readonly = field.member("readonly")) root.readonly = readonly->boolean();
  return root;
}

// Properties of the specification that mean something, but nothing here.
void name_what_is_ignored(const JsonReader& document, std::vector<std::string>& warnings) {
  constexpr std::pair<const char*, const char*> kIgnored[] = {{"linux", "mountLabel"},
                                                              {"process", "execCPUAffinity"}};
  for (const auto& [section, name] : kIgnored) {
    const auto node = document.member(section);
    if (node && node->member(name))
      warnings.push_back(std::string("config.json: ") + section + "." + name + " is not applied");
  }
  const auto node = document.member("linux");
  const auto resources = node ? node->member("resources") : std::nullopt;
  // Huge pages and RDMA are not to be had in a sandbox. Engines write a blockIO that says nothing.
  const auto says = [&](const char* name, const nlohmann::json& nothing) {
    const auto field = resources ? resources->member(name) : std::nullopt;
    if (field && !field->json().empty() && field->json() != nothing)
      warnings.push_back(std::string("config.json: linux.resources.") + name + " is not applied");
  };
  says("blockIO", {{"weight", 0}});
  says("network", nullptr);
}

Spec parse_document(const JsonReader& document) {
  document.must_be_object();
  Spec spec;
  spec.oci_version = parse_version(document);
  spec.root = parse_root(document);
  if (const auto process = document.member("process")) spec.process = parse_process(*process, spec.warnings);
  spec.hostname = parse_host_name(document, "hostname");
  spec.domainname = parse_host_name(document, "domainname");
  if (const auto mounts = document.member("mounts")) spec.mounts = parse_mounts(*mounts);
  if (const auto hooks = document.member("hooks")) spec.hooks = parse_hooks(*hooks);
  if (const auto map = document.member("annotations")) {
    spec.annotations = parse_string_map(*map);
    if (spec.annotations.contains("")) map->refuse("a key must not be empty");
  }
  if (const auto node = document.member("linux")) spec.linux_ = parse_linux(*node);
  name_what_is_ignored(document, spec.warnings);
  if (document.member("windows") || document.member("solaris") || document.member("vm")) {
    spec.warnings.emplace_back("config.json: sections for other platforms than linux are ignored");
  }
  return spec;
}

}  // namespace

namespace {

// `parse` may throw.
template <typename T, typename Parse>
Expected<T> guarded(const std::string& name, Parse parse) {
  try {
    return parse();
  } catch (const SpecError& error) {
    return fail(name + ": " + one_line(error.what()));
  } catch (const std::bad_alloc&) {
    return fail(name + ": not enough memory");
  } catch (const std::exception& error) {
    return fail(name + ": " + one_line(error.what()));
  }
}

}  // namespace

Expected<Spec> parse_spec(std::string_view text, const std::string& name) {
  return guarded<Spec>(name, [&] {
    const json document = read_document(text);
    return parse_document(JsonReader(document));
  });
}

Expected<Process> parse_process_text(std::string_view text, const std::string& name) {
  return guarded<Process>(name, [&] {
    const json document = read_document(text);
    const JsonReader node(document);
    node.must_be_object();
    std::vector<std::string> warnings;
    return parse_process(node, warnings);
  });
}

Expected<Resources> parse_resources_text(std::string_view text, const std::string& name) {
  return guarded<Resources>(name, [&] {
    const json document = read_document(text);
    const JsonReader node(document);
    node.must_be_object();
    return parse_resources(node);
  });
}

}  // namespace runsc::oci
