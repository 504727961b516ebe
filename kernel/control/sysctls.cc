#include "kernel/control/sysctls.h"

#include "fs/filesystem.h"
#include "fs/mount.h"
#include "fs/namespace.h"
#include "kernel/namespaces.h"
#include "mm/io_buf.h"

namespace runsc::kernel {

namespace {

// As it is shown, without the end of the line; "" for what nobody may read.
Result<String> value_of(fs::File& file) {
  std::byte bytes[256];
  mm::IoBuf buf = mm::IoBuf::kernel(bytes);
  auto n = file.read(buf, 0);
  if (!n) return String();
  std::string_view text(reinterpret_cast<const char*>(bytes), *n);
  while (text.ends_with('\n')) text.remove_suffix(1);
  return String::from(text);
}

bool same(std::string_view a, std::string_view b) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!a.empty() && !b.empty()) {
    if (blank(a[0]) != blank(b[0]) || (!blank(a[0]) && a[0] != b[0])) return false;
    if (!blank(a[0])) {
      a.remove_prefix(1);
      b.remove_prefix(1);
      continue;
    }
    while (!a.empty() && blank(a[0])) a.remove_prefix(1);
    while (!b.empty() && blank(b[0])) b.remove_prefix(1);
  }
  return a.empty() && b.empty();
}

}  // namespace

Result<void> set_sysctl(Task& task, std::string_view name, std::string_view value) {
  Ref<fs::SuperBlock> super = TRY(TRY(fs::find_filesystem("proc"))("proc", ""));
  fs::DetachedMount proc =
      TRY(fs::mount_detached(task.namespaces().mounts(), std::move(super), 0, "proc", 0));
  Ref<fs::FsContext> context = make_ref<fs::FsContext>(proc.root, proc.root, 0u);
  Ref<fs::Credentials> root = make_ref<fs::Credentials>();
  if (!context || !root) return Errno::nomem;
  root->effective = root->permitted = fs::kAllCaps;
  const fs::WalkContext walk{*context, *root};
  String path = TRY(String::concat("sys/", name));
  if (Ref<fs::File> file = TRY(fs::open_path(walk, proc.root, path.view(), fs::open_flag::rdonly, 0));
      same(TRY(value_of(*file)).view(), value))
    return {};
  const fs::Path place = TRY(fs::walk(walk, proc.root, path.view(), fs::kFollow));
  if ((TRY(fs::inode_of(place).get_attr()).mode & 0222) == 0) return Errno::acces;
  Ref<fs::File> file = TRY(fs::open_path(walk, proc.root, path.view(), fs::open_flag::wronly, 0));
  Vec<std::byte> bytes;
  for (const char c : value) TRY(bytes.push_back(static_cast<std::byte>(c)));
  mm::IoBuf buf = mm::IoBuf::kernel(bytes.span());
  TRY(file->write(buf, 0));
  return {};
}

}  // namespace runsc::kernel
