#include "fs/sync.h"

#include "fs/mount_tree.h"
#include "kernel/base/vec.h"

namespace runsc::fs {

namespace {

// One whose file system is not in `seen` yet.
Ref<Mount> next_mount(const MountNamespace& ns, const Vec<Ref<Mount>>& seen) {
  LockGuard guard(g_mount_tree_lock);
  for (Mount* m = MountTree::first; m; m = MountTree::next(*m)) {
    if (MountTree::ns(*m) != &ns) continue;
    bool known = false;
    for (const Ref<Mount>& s : seen) known |= &s->super() == &m->super();
    if (!known) return Ref<Mount>(*m);
  }
  return {};
}

}  // namespace

Result<void> sync_all(const MountNamespace& ns) {
  Vec<Ref<Mount>> seen;
  while (Ref<Mount> mount = next_mount(ns, seen)) {
    (void)mount->super().sync();  // sync(2) tells of no errors
    TRY(seen.push_back(std::move(mount)));
  }
  return {};
}

}  // namespace runsc::fs
