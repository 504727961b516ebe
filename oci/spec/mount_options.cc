#include "oci/spec/mount_options.h"

#include <sys/mount.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

namespace runsc::oci {
namespace {

enum class Effect { set, clear, propagate, unsupported };

struct OptionName {
  std::string_view name;
  Effect effect;
  uint64_t flags;
};

constexpr OptionName kOptions[] = {
    {"async", Effect::clear, MS_SYNCHRONOUS},
    {"atime", Effect::clear, MS_NOATIME},
    {"defaults", Effect::set, 0},
    {"dev", Effect::clear, MS_NODEV},
    {"diratime", Effect::clear, MS_NODIRATIME},
    {"dirsync", Effect::set, MS_DIRSYNC},
    {"exec", Effect::clear, MS_NOEXEC},
    {"iversion", Effect::set, MS_I_VERSION},
    {"lazytime", Effect::set, MS_LAZYTIME},
    {"loud", Effect::clear, MS_SILENT},
    {"mand", Effect::set, MS_MANDLOCK},
    {"noatime", Effect::set, MS_NOATIME},
    {"nodev", Effect::set, MS_NODEV},
    {"nodiratime", Effect::set, MS_NODIRATIME},
    {"noexec", Effect::set, MS_NOEXEC},
    {"noiversion", Effect::clear, MS_I_VERSION},
    {"nolazytime", Effect::clear, MS_LAZYTIME},
    {"nomand", Effect::clear, MS_MANDLOCK},
    {"norelatime", Effect::clear, MS_RELATIME},
    {"nostrictatime", Effect::clear, MS_STRICTATIME},
    {"nosuid", Effect::set, MS_NOSUID},
    {"nosymfollow", Effect::set, MS_NOSYMFOLLOW},
    {"relatime", Effect::set, MS_RELATIME},
    {"remount", Effect::set, MS_REMOUNT},
    {"ro", Effect::set, MS_RDONLY},
    {"rw", Effect::clear, MS_RDONLY},
    {"silent", Effect::set, MS_SILENT},
    {"strictatime", Effect::set, MS_STRICTATIME},
    {"suid", Effect::clear, MS_NOSUID},
    {"symfollow", Effect::clear, MS_NOSYMFOLLOW},
    {"sync", Effect::set, MS_SYNCHRONOUS},
    {"private", Effect::propagate, MS_PRIVATE},
    {"rprivate", Effect::propagate, MS_PRIVATE | MS_REC},
    {"shared", Effect::propagate, MS_SHARED},
    {"rshared", Effect::propagate, MS_SHARED | MS_REC},
    {"slave", Effect::propagate, MS_SLAVE},
    {"rslave", Effect::propagate, MS_SLAVE | MS_REC},
    {"unbindable", Effect::propagate, MS_UNBINDABLE},
    {"runbindable", Effect::propagate, MS_UNBINDABLE | MS_REC},
    {"idmap", Effect::unsupported, 0},
    {"ridmap", Effect::unsupported, 0},
};

// Those that may have an r in front.
constexpr std::string_view kRecursive[] = {
    "atime",      "dev",    "diratime",   "exec",          "noatime", "nodev",
    "nodiratime", "noexec", "norelatime", "nostrictatime", "nosuid",  "nosymfollow",
    "relatime",   "ro",     "rw",         "strictatime",   "suid",    "symfollow",
};

}  // namespace

void add_mount_option(MountOptions& options, std::string_view option) {
  if (option.empty()) return;
  // What is mounted below a source is of the same mount here: a recursive option is the option.
  for (const std::string_view known : kRecursive)
    if (option.starts_with('r') && option.substr(1) == known) option = known;
  if (option == "bind" || option == "rbind") {
    options.bind = true;
    options.recursive = option == "rbind";
    return;
  }
  if (option == "tmpcopyup") {
    options.copy_up = true;
    return;
  }
  for (const OptionName& known : kOptions) {
    if (known.name != option) continue;
    switch (known.effect) {
      case Effect::set:
        options.flags |= known.flags;
        break;
      case Effect::clear:
        options.flags &= ~known.flags;
        break;
      case Effect::propagate:
        options.propagation = known.flags;
        break;
      case Effect::unsupported:
        options.unsupported.emplace_back(option);
        break;
    }
    return;
  }
  options.data.emplace_back(option);
}

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  if (parts.empty()) return "/";
  std::string cleaned;
  for (const std::string_view part : parts) cleaned.append("/").append(part);
  return cleaned;
}

std::vector<std::string> mount_option_names() {
  std::vector<std::string> names = {"bind", "rbind"};
  for (const OptionName& option : kOptions)
    if (option.effect != Effect::unsupported) names.emplace_back(option.name);
  for (const std::string_view option : kRecursive) names.push_back("r" + std::string(option));
  return names;
}

}  // namespace runsc::oci
