// umount2(2), and how mounts come off their trees and go.
#include "fs/mount_tree.h"

namespace runsc::fs {

namespace {

// Mounts that have come off, to be let go of.
constinit SpinLock g_gone_lock{LockRank::leaf};
constinit Mount* g_gone GUARDED_BY(g_gone_lock) = nullptr;
constinit bool g_letting_go GUARDED_BY(g_gone_lock) = false;  // a task is at it

}  // namespace

void MountTree::detach(Mount& m, bool stuck, Mount*& gone) {
  {
    LockGuard guard(names_lock());
    (m.prev_ ? m.prev_->next_ : first) = m.next_;
    (m.next_ ? m.next_->prev_ : last) = m.prev_;
    m.prev_ = nullptr;
    m.ns_ = nullptr;
    if (stuck) {
      m.stuck_to_ = m.parent_.get();
    } else if (m.parent_) {
      m.mountpoint_->mounts.fetch_sub(1, std::memory_order_release);
      m.parent_->children_.erase(Mount::Children::s_iterator_to(m));
      m.was_at_ = std::move(m.mountpoint_);
    }
    m.was_on_ = std::move(m.parent_);
  }
  leave_group(m);
  master(m) = 0;
  m.next_ = std::exchange(gone, &m);
}

Mount* MountTree::unstick_children(Mount& m) {
  Mount* gone = nullptr;
  if (m.children_.empty()) return gone;
  LockGuard guard(names_lock());
  while (!m.children_.empty()) {
    Mount& child = m.children_.front();
    m.children_.pop_front();
    child.stuck_to_ = nullptr;
    child.mountpoint_->mounts.fetch_sub(1, std::memory_order_release);
    child.was_at_ = std::move(child.mountpoint_);
    child.next_ = std::exchange(gone, &child);
  }
  return gone;
}

void MountTree::let_go(Mount* gone) {
  if (!gone) return;
  {
    LockGuard guard(g_gone_lock);
    Mount* end = gone;
    while (end->next_) end = end->next_;
    end->next_ = std::exchange(g_gone, gone);
    if (std::exchange(g_letting_go, true)) return;
  }
  for (;;) {
    Mount* m;
    {
      LockGuard guard(g_gone_lock);
      m = g_gone;
      g_letting_go = m;
      if (!m) return;
      g_gone = std::exchange(m->next_, nullptr);
    }
    // What is stuck goes with its parent, which lives for as long as it is counted here.
    const bool stuck = m->stuck_to_;
    const Ref<Dentry> was_at = std::move(m->was_at_);
    const Ref<Mount> was_on = std::move(m->was_on_);
    if (!stuck) m->unref();
  }
}

MountNamespace::~MountNamespace() {
  GoneMounts gone;
  LockGuard guard(g_mount_tree_lock);
  // What they propagated to stays.
  for (Mount* m = MountTree::first; m;) {
    Mount* next = MountTree::next(*m);
    if (MountTree::ns(*m) == this) gone.take_off(*m, m->parent_locked() && MountTree::locked_in_place(*m));
    m = next;
  }
}

namespace {

using Fate = MountTree::Fate;

// What an unmount takes off: a tree, and what it propagated to. Planned first, done when nothing can fail.
class Plan {
 public:
  explicit Plan(Mount& root) : root_(root) {}
  // ENOMEM.
  Result<void> make() REQUIRES(g_mount_tree_lock);
  void carry_out(GoneMounts& gone) REQUIRES(g_mount_tree_lock);

 private:
  bool advance() REQUIRES(g_mount_tree_lock);
  static void lift_above(Mount& m) REQUIRES(g_mount_tree_lock);
  static void take_off(Mount& m, GoneMounts& gone) REQUIRES(g_mount_tree_lock);

  Mount& root_;
  Vec<Ref<Mount>> tree_;       // parents first
  Vec<Ref<Mount>> elsewhere_;  // what came there by propagation; some several times
};

bool goes(Mount* m) REQUIRES(g_mount_tree_lock) { return m && MountTree::fate(*m) == Fate::goes; }

// Only what stands on its root is not asked to go: that takes its place.
bool is_left_by_children(Mount& m) REQUIRES(g_mount_tree_lock) {
  for (Mount& child : MountTree::children(m))
    if (child.mountpoint_locked() != &m.root() && !goes(&child)) return false;
  return true;
}

// Children go first. False: nobody else can.
bool Plan::advance() {
  bool more = false;
  for (const Ref<Mount>& m : elsewhere_) {
    if (MountTree::fate(*m) != Fate::asked || !is_left_by_children(*m)) continue;
    MountTree::fate(*m) = Fate::goes;
    more = true;
  }
  return more;
}

Result<void> Plan::make() {
  TRY(tree_.push_back(Ref<Mount>(root_)));
  for (size_t i = 0; i < tree_.size(); ++i)
    for (Mount& child : MountTree::children(*tree_[i])) TRY(tree_.push_back(Ref<Mount>(child)));
  for (const Ref<Mount>& m : tree_) TRY(propagated_from(*m, elsewhere_));
  for (const Ref<Mount>& m : elsewhere_) MountTree::fate(*m) = Fate::asked;
  for (const Ref<Mount>& m : tree_) MountTree::fate(*m) = Fate::goes;
  while (advance()) {
  }
  return {};
}

// What stands on the root of a mount that goes, and does not go itself, comes to stand where that stood.
void Plan::lift_above(Mount& m) {
  Mount* above = MountTree::top_on(&m, m.root());
  if (!above || goes(above)) return;
  const Mount* at = &m;
  while (goes(at->parent_locked())) at = at->parent_locked();
  (void)MountTree::move(*above, {Ref<Mount>(*at->parent_locked()), Ref<Dentry>(*at->mountpoint_locked())});
}

void Plan::take_off(Mount& m, GoneMounts& gone) {
  if (MountTree::ns(m)) gone.take_off(m, MountTree::locked_in_place(m) && goes(m.parent_locked()));
}

void Plan::carry_out(GoneMounts& gone) {
  for (const Ref<Mount>& m : elsewhere_)
    if (goes(m.get())) lift_above(*m);
  for (const Ref<Mount>& m : tree_) take_off(*m, gone);
  for (const Ref<Mount>& m : elsewhere_)
    if (goes(m.get())) take_off(*m, gone);
  for (const Ref<Mount>& m : tree_) MountTree::fate(*m) = Fate::stays;
  for (const Ref<Mount>& m : elsewhere_) MountTree::fate(*m) = Fate::stays;
}

// Somebody uses it besides the list and the caller, or where it propagated to besides the list.
Result<void> check_unused(Mount& m) REQUIRES(g_mount_tree_lock) {
  if (MountTree::has_children(m) || m.ref_count() > 2) return Errno::busy;
  Vec<Ref<Mount>> elsewhere;
  TRY(propagated_from(m, elsewhere));
  for (const Ref<Mount>& other : elsewhere)
    if (!MountTree::has_children(*other) && other->ref_count() > 2) return Errno::busy;
  return {};
}

}  // namespace

Result<void> unmount(const Path& target, uint32_t flags) {
  constexpr uint32_t kDetach = 2, kExpire = 4, kKnown = 15;
  if (flags & ~kKnown) return Errno::inval;
  if (flags & kExpire) return Errno::again;  // the first call only marks; nothing is unused long enough here
  GoneMounts gone;
  LockGuard guard(g_mount_tree_lock);
  if (!is_mount_root(target)) return Errno::inval;
  Mount& m = *target.mount;
  if (!m.parent_locked() || MountTree::locked_in_place(m)) return Errno::inval;
  if (!(flags & kDetach)) TRY(check_unused(m));
  Plan plan(m);
  TRY(plan.make());
  plan.carry_out(gone);
  return {};
}

}  // namespace runsc::fs
