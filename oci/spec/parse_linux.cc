#include "oci/spec/parse_parts.h"

namespace runsc::oci {
namespace {

struct NamespaceName {
  std::string_view name;
  NamespaceKind kind;
};

constexpr NamespaceName kNamespaceNames[] = {
    {"pid", NamespaceKind::pid},   {"network", NamespaceKind::network}, {"mount", NamespaceKind::mount},
    {"ipc", NamespaceKind::ipc},   {"uts", NamespaceKind::uts},         {"user", NamespaceKind::user},
    {"time", NamespaceKind::time}, {"cgroup", NamespaceKind::cgroup},
};

Namespace parse_namespace(const JsonReader& node) {
  const JsonReader type = node.required("type");
  const std::string text = type.string();
  Namespace result;
  bool known = false;
  for (const NamespaceName& entry : kNamespaceNames) {
    if (entry.name != text) continue;
    result.kind = entry.kind;
    known = true;
  }
  if (!known) type.refuse("unknown namespace " + text);
  if (const auto path = node.member("path")) {
    result.path = path->string();
    if (!result.path.empty() && result.path.front() != '/') path->refuse("must be an absolute path");
  }
  return result;
}

std::vector<Namespace> parse_namespaces(const JsonReader& list) {
  std::vector<Namespace> namespaces;
  for_each_element(list, [&](const JsonReader& item) {
    const Namespace next = parse_namespace(item);
    for (const Namespace& other : namespaces) {
      if (other.kind == next.kind) item.refuse("a second namespace of the same type");
    }
    namespaces.push_back(next);
  });
  return namespaces;
}

std::vector<IdMapping> parse_id_mappings(const JsonReader& list) {
  std::vector<IdMapping> mappings;
  for_each_element(list, [&](const JsonReader& item) {
    mappings.push_back(
        {item.required("containerID").u32(), item.required("hostID").u32(), item.required("size").u32()});
  });
  return mappings;
}

Device parse_device(const JsonReader& node) {
  Device device;
  device.path = node.required("path").absolute_path();
  const JsonReader type = node.required("type");
  const std::string text = type.string();
  if (text != "c" && text != "u" && text != "b" && text != "p") type.refuse("must be one of c, u, b, p");
  device.type = text[0];
  if (const auto field = node.member("major")) device.major = field->i64();
  if (const auto field = node.member("minor")) device.minor = field->i64();
  if (const auto field = node.member("fileMode")) device.file_mode = field->u32();
  if (const auto field = node.member("uid")) device.uid = field->u32();
  if (const auto field = node.member("gid")) device.gid = field->u32();
  return device;
}

std::vector<std::string> parse_paths(const JsonReader& list) {
  std::vector<std::string> paths;
  for_each_element(list, [&](const JsonReader& item) { paths.push_back(item.absolute_path()); });
  return paths;
}

}  // namespace

Linux parse_linux(const JsonReader& node) {
  Linux result;
  if (const auto field = node.member("namespaces")) result.namespaces = parse_namespaces(*field);
  if (const auto field = node.member("uidMappings")) result.uid_mappings = parse_id_mappings(*field);
  if (const auto field = node.member("gidMappings")) result.gid_mappings = parse_id_mappings(*field);
  if (const auto field = node.member("devices")) {
    for_each_element(*field, [&](const JsonReader& item) { result.devices.push_back(parse_device(item)); });
  }
  if (const auto field = node.member("cgroupsPath")) result.cgroups_path = field->string();
  if (const auto field = node.member("resources")) result.resources = parse_resources(*field);
  if (const auto field = node.member("seccomp")) result.seccomp = parse_seccomp(*field);
  if (const auto field = node.member("sysctl")) result.sysctl = parse_string_map(*field);
  if (const auto field = node.member("maskedPaths")) result.masked_paths = parse_paths(*field);
  if (const auto field = node.member("readonlyPaths")) result.readonly_paths = parse_paths(*field);
  if (const auto field = node.member("rootfsPropagation")) {
    result.rootfs_propagation = field->string();
    const std::string& text = result.rootfs_propagation;
    const std::string_view base = std::string_view(text).substr(text.starts_with('r') ? 1 : 0);
    if (!text.empty() && base != "private" && base != "shared" && base != "slave" && base != "unbindable") {
      field->refuse("must be one of private, shared, slave, unbindable, or one of these after an r");
    }
  }
  return result;
}

}  // namespace runsc::oci
