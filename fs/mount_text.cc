// /proc/PID/mounts and mountinfo (proc(5)).
#include "fs/mount_tree.h"

namespace runsc::fs {

namespace {

void write_escaped(TextSink& out, std::string_view text) {
  for (char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\\')
      format(out, "\\{:03o}", static_cast<uint32_t>(static_cast<unsigned char>(c)));
    else
      out.write({&c, 1});
  }
}

void write_flags(TextSink& out, uint64_t flags) {
  out.write(flags & kMsRdonly ? "ro" : "rw");
  if (flags & kMsNosuid) out.write(",nosuid");
  if (flags & kMsNodev) out.write(",nodev");
  if (flags & kMsNoexec) out.write(",noexec");
  out.write(flags & kMsNoatime ? ",noatime" : ",relatime");
}

// The optional fields. A slave's master is shown also where it is not within reach.
void write_propagation(Mount& m, TextSink& out) REQUIRES(g_mount_tree_lock) {
  if (MountTree::group(m) != 0) format(out, " shared:{}", MountTree::group(m));
  if (MountTree::master(m) != 0) format(out, " master:{}", MountTree::master(m));
  if (MountTree::unbindable(m)) out.write(" unbindable");
}

void describe_mount(Mount& m, std::string_view place, std::string_view inner_root, TextSink& out,
                    bool mountinfo) REQUIRES(g_mount_tree_lock) {
  std::string_view type = m.super().type_name();
  std::string_view source = m.source().empty() ? type : m.source();
  if (mountinfo) {
    uint64_t dev = m.super().dev();
    Mount* parent = m.parent_locked();
    format(out, "{} {} 0:{} ", m.id(), parent ? parent->id() : 1u, (dev & 0xff) | (dev >> 12 & 0xfff00));
    write_escaped(out, inner_root);
    out.write(" ");
    write_escaped(out, place);
    out.write(" ");
    write_flags(out, m.flags());
    write_propagation(m, out);
    format(out, " - {} ", type);
    write_escaped(out, source);
    out.write(m.read_only() ? " ro" : " rw");
    m.super().show_options(out);
    out.write("\n");
    return;
  }
  write_escaped(out, source);
  out.write(" ");
  write_escaped(out, place);
  format(out, " {} ", type);
  write_flags(out, m.flags());
  m.super().show_options(out);
  out.write(" 0 0\n");
}

}  // namespace

void describe_mounts(const MountNamespace& ns, const Path& root, TextSink& out, bool mountinfo) {
  LockGuard guard(g_mount_tree_lock);
  for (Mount* m = MountTree::first; m; m = MountTree::next(*m)) {
    if (MountTree::ns(*m) != &ns) continue;
    Path at = mount_root_path(Ref<Mount>(*m));
    Result<String> place = path_name(at, root);
    if (!place || place->view().starts_with("(unreachable)")) continue;
    // The part of the file system that is mounted, from the file system's own root.
    Result<String> inner = path_name(Path({}, Ref<Dentry>(m->root())), {});
    describe_mount(*m, place->view(), inner ? inner->view() : std::string_view("/"), out, mountinfo);
  }
}

}  // namespace runsc::fs
