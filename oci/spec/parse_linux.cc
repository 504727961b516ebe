#include <sys/personality.h>

#include <nlohmann/json.hpp>

#include "oci/spec/mount_options.h"
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
  if (device.type != 'p') {
    device.major = node.required("major").i64();
    device.minor = node.required("minor").i64();
  }
  if (const auto field = node.member("fileMode")) device.file_mode = field->u32();
  if (const auto field = node.member("uid")) device.uid = field->u32();
  if (const auto field = node.member("gid")) device.gid = field->u32();
  return device;
}

uint64_t parse_propagation(const JsonReader& node) {
  const std::string text = node.string();
  if (text.empty()) return 0;
  MountOptions options;
  add_mount_option(options, text);
  if (options.propagation == 0)
    node.refuse("must be one of private, shared, slave, unbindable, or one of these after an r");
  return options.propagation;
}

uint32_t parse_personality(const JsonReader& node) {
  const JsonReader domain = node.required("domain");
  const std::string name = domain.string();
  if (name != "LINUX" && name != "LINUX32") domain.refuse("must be LINUX or LINUX32");
  if (const auto flags = node.member("flags"); flags && flags->must_be_array().size() != 0)
    flags->refuse("there are no flags that are supported");
  return name == "LINUX32" ? PER_LINUX32 : PER_LINUX;
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
    result.rootfs_propagation = parse_propagation(*field);
  }
  if (const auto field = node.member("personality")) result.personality = parse_personality(*field);
  // What a container would miss without a word.
  for (const char* name : {"intelRdt", "netDevices", "memoryPolicy", "timeOffsets"}) {
    const auto field = node.member(name);
    if (field && !field->json().empty()) field->refuse("is not supported");
  }
  return result;
}

}  // namespace runsc::oci
