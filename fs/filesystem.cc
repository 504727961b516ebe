#include "fs/filesystem.h"

#include "kernel/base/check.h"

namespace runsc::fs {

namespace {

struct Entry {
  const char* name;
  MountFunction mount;
};
constexpr size_t kMaxFileSystems = 32;
// Filled before the first task runs, constant afterwards.
constinit Entry entries[kMaxFileSystems] = {};
constinit size_t entry_count = 0;

}  // namespace

void register_filesystem(const char* name, MountFunction mount) {
  CHECK(entry_count < kMaxFileSystems, "too many file systems");
  entries[entry_count++] = {name, mount};
}

Result<MountFunction> find_filesystem(std::string_view name) {
  for (size_t i = 0; i < entry_count; ++i)
    if (name == entries[i].name) return entries[i].mount;
  return Errno::nodev;
}

void describe_filesystems(TextSink& out) {
  for (size_t i = 0; i < entry_count; ++i) format(out, "nodev\t{}\n", entries[i].name);
}

}  // namespace runsc::fs
