#include "oci/spec/mount_options.h"
#include "oci/spec/parse_parts.h"

namespace runsc::oci {
namespace {

// More than any pod has; keeps a hostile file from costing a mount each.
constexpr size_t kMaxMounts = 10000;

MountOptions parse_options(const JsonReader& list) {
  MountOptions options;
  for_each_element(list, [&](const JsonReader& item) {
    add_mount_option(options, item.string());
    if (!options.unsupported.empty()) item.refuse("option " + options.unsupported[0] + " is not supported");
  });
  return options;
}

Mount parse_mount(const JsonReader& node) {
  Mount mount;
  mount.destination = clean_path(node.required("destination").non_empty_string());
  if (const auto type = node.member("type")) mount.type = type->string();
  if (const auto source = node.member("source")) mount.source = source->string();
  MountOptions options;
  if (const auto list = node.member("options")) options = parse_options(*list);
  for (const char* name : {"uidMappings", "gidMappings"}) {
    const auto mapping = node.member(name);
    if (mapping && mapping->must_be_array().size() != 0)
      mapping->refuse("id-mapped mounts are not supported");
  }
  mount.bind = options.bind || mount.type == "bind" || mount.type == "rbind";
  mount.recursive = options.recursive || mount.type == "rbind";
  mount.copy_up = options.copy_up;
  mount.flags = options.flags;
  mount.propagation = options.propagation;
  for (const std::string& option : options.data) {
    if (!mount.data.empty()) mount.data += ',';
    mount.data += option;
  }
  if (mount.bind) {
    mount.type = "bind";
    if (mount.source.empty()) node.refuse("a bind mount needs a source");
  } else if (mount.type.empty()) {
    node.refuse("needs a type");
  }
  return mount;
}

}  // namespace

std::vector<Mount> parse_mounts(const JsonReader& list) {
  if (list.must_be_array().size() > kMaxMounts) list.refuse("more than 10000 mounts");
  std::vector<Mount> mounts;
  for_each_element(list, [&](const JsonReader& item) { mounts.push_back(parse_mount(item)); });
  return mounts;
}

}  // namespace runsc::oci
