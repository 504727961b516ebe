#include "kernel/ipc/mqueue_fs.h"

#include "fs/dir_helpers.h"
#include "fs/mount.h"
#include "fs/notify.h"
#include "fs/path_walk.h"
#include "fs/tmpfs/tmpfs_dir.h"
#include "kernel/namespaces.h"
#include "kernel/task.h"

namespace runsc::kernel {

namespace {

constexpr uint64_t kMqueueMagic = 0x19800202, kFileSize = 80, kEntrySize = 20;

class MqueueNode final : public fs::TmpfsInode {
 public:
  MqueueNode(fs::TmpfsSuper& super, const fs::NewNode& node) : TmpfsInode(super, node) {}
  PosixQueue& queue() { return queue_; }

  Result<fs::Attr> get_attr() override {
    fs::Attr attr = TRY(TmpfsInode::get_attr());
    attr.size = kFileSize;
    return attr;
  }
  // Its size is what it is: O_TRUNC does no harm.
  Result<void> set_attr(const fs::SetAttr& attr) override {
    fs::SetAttr rest = attr;
    rest.mask &= ~fs::SetAttr::kSize;
    return rest.mask ? TmpfsInode::set_attr(rest) : Result<void>();
  }
  Result<Ref<fs::File>> open(uint32_t flags) override;

 private:
  PosixQueue queue_;
};

class MqueueFile final : public fs::File {
 public:
  MqueueFile(uint32_t flags, Ref<MqueueNode> node) : File(flags, node), node_(std::move(node)) {}
  PosixQueue& queue() { return node_->queue(); }

  fs::FileKind kind() const override { return fs::FileKind::mqueue; }
  bool seekable() const override { return true; }
  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override {
    char room[kFileSize];
    FixedText text(room);
    queue().describe(text);
    if (offset >= text.view().size()) return size_t{0};
    size_t n = TRY(buf.put(text.view().data() + offset, text.view().size() - offset));
    node_->touch(false);
    return n;
  }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    return fs::seek_in_file(offset, whence, current, kFileSize);
  }
  uint32_t poll() override { return queue().poll(); }
  WaitQueue* wait_queue() override { return &queue().readiness(); }
  Result<void> flush() override {
    queue().drop_notification(Task::current().group());
    return {};
  }

 private:
  const Ref<MqueueNode> node_;
};

Result<Ref<fs::File>> MqueueNode::open(uint32_t flags) {
  Ref<fs::File> file = make_ref<MqueueFile>(flags, Ref<MqueueNode>(*this));
  if (!file) return Errno::nomem;
  return file;
}

class MqueueDir final : public fs::TmpfsDir {
 public:
  MqueueDir(fs::TmpfsSuper& super, const fs::NewNode& node, Ref<PosixQueueSpace> space)
      : TmpfsDir(super, node), space_(std::move(space)) {}

  Result<Ref<fs::Inode>> create_queue(Task& task, std::string_view name, const fs::NewNode& node,
                                      const QueueAttributes* wanted) {
    if (space_->ended.load(std::memory_order_relaxed)) return Errno::acces;
    Ref<MqueueNode> fresh = make_ref<MqueueNode>(tmpfs(), node);
    if (!fresh) return Errno::nomem;
    TRY(fresh->queue().init(task, space_, wanted));
    TRY(add(name, *fresh));
    entries_.fetch_add(1, std::memory_order_relaxed);
    return Ref<fs::Inode>(std::move(fresh));
  }
  // open(2) with O_CREAT makes a queue as the defaults say.
  Result<Ref<fs::Inode>> create(std::string_view name, const fs::NewNode& node) override {
    if ((node.mode & fs::kTypeMask) != fs::kRegular) return Errno::perm;
    return create_queue(Task::current(), name, node, nullptr);
  }
  Result<void> unlink(std::string_view name, fs::Inode& child) override {
    TRY(TmpfsDir::unlink(name, child));
    entries_.fetch_sub(1, std::memory_order_relaxed);
    return {};
  }
  Result<Ref<fs::Inode>> make_dir(std::string_view, const fs::NewNode&) override { return Errno::perm; }
  Result<Ref<fs::Inode>> symlink(std::string_view, std::string_view, const fs::NewNode&) override {
    return Errno::perm;
  }
  Result<void> link(std::string_view, Inode&) override { return Errno::perm; }
  Result<void> rename(std::string_view, Inode&, Inode&, std::string_view, Inode*, uint32_t) override {
    return Errno::perm;
  }
  Result<Ref<fs::Inode>> tmpfile(const fs::NewNode&) override { return Errno::opnotsupp; }
  Result<fs::Attr> get_attr() override {
    fs::Attr attr = TRY(TmpfsDir::get_attr());
    attr.size = kEntrySize * (2 + entries_.load(std::memory_order_relaxed));
    return attr;
  }

 private:
  const Ref<PosixQueueSpace> space_;
  std::atomic<uint64_t> entries_{0};
};

}  // namespace

class MqueueSuper final : public fs::TmpfsSuper {
 public:
  static Result<Ref<MqueueSuper>> create(Ref<PosixQueueSpace> space) {
    Ref<MqueueSuper> super = make_ref<MqueueSuper>();
    if (!super) return Errno::nomem;
    fs::NewNode root;
    root.mode = fs::kDirectory | fs::kSticky | 0777;
    super->root_ = make_ref<MqueueDir>(*super, root, std::move(space));
    if (!super->root_) return Errno::nomem;
    if (auto made = super->make_mount(); !made) {
      super->unmounted();
      return made.error();
    }
    return super;
  }
  std::string_view type_name() const override { return "mqueue"; }
  fs::FsStat stat_fs() override {
    fs::FsStat s;
    s.type = kMqueueMagic;
    return s;
  }
  Ref<fs::Dentry> root_dentry() override { return dentry_; }
  // The queues go now, and not when their names are wanted no more: they count against limits.
  void unmounted() override {
    if (Ref<fs::Dentry> root = std::exchange(dentry_, {})) {
      LockGuard guard(root->inode()->lock);
      fs::dcache_forget_children(*root);
    }
    fs::TmpfsSuper::unmounted();
  }
  void show_options(TextSink&) const override {}
  MqueueDir& dir() { return static_cast<MqueueDir&>(*root_); }
  fs::Path path() { return fs::mount_root_path(mount_); }
  // Lets go of itself: what is left is where else it is mounted.
  void forget() { mount_ = {}; }

 private:
  Result<void> make_mount() {
    dentry_ = TRY(fs::Dentry::create({}, "", root_));
    mount_ = TRY(fs::Mount::create(Ref<fs::SuperBlock>(*this), dentry_, 0, "mqueue"));
    return {};
  }

  Ref<fs::Dentry> dentry_;
  Ref<fs::Mount> mount_;  // for those who open by mq_open(2): not in the tree
};

namespace {

Result<void> check_name(std::string_view name) {
  if (name == "." || name == ".." || name.find('/') != std::string_view::npos) return Errno::acces;
  if (name.size() > fs::Walker::kMaxName) return Errno::nametoolong;
  return {};
}

uint32_t wanted_access(uint32_t flags) {
  switch (flags & fs::open_flag::accmode) {
    case fs::open_flag::rdonly:
      return fs::kRead;
    case fs::open_flag::wronly:
      return fs::kWrite;
    default:
      return fs::kRead | fs::kWrite;
  }
}

// The dentry of the name, which is made if need be. The directory is locked.
Result<Ref<fs::Dentry>> find_or_create(Task& task, MqueueSuper& super, std::string_view name, uint32_t flags,
                                       uint32_t mode, const QueueAttributes* wanted) {
  const fs::Path root = super.path();
  Ref<fs::Dentry> found = TRY(fs::lookup_child_locked(*root.dentry, name));
  if (found->negative()) {
    if (!(flags & fs::open_flag::creat)) return Errno::noent;
    TRY(fs::check_access(task.creds(), root, fs::kWrite | fs::kExec));
    fs::NewNode node = TRY(fs::new_node(task.walk_context(), root, fs::kRegular | (mode & 07777)));
    Ref<fs::Inode> fresh = TRY(super.dir().create_queue(task, name, node, wanted));
    fs::notify_created(super.dir(), name, false);
    return fs::dcache_add(*root.dentry, name, std::move(fresh));
  }
  if (flags & fs::open_flag::creat && flags & fs::open_flag::excl) return Errno::exist;
  if ((flags & fs::open_flag::accmode) == fs::open_flag::accmode) return Errno::inval;
  TRY(fs::check_access(task.creds(), fs::Path(root.mount, found), wanted_access(flags)));
  return found;
}

}  // namespace

Result<MqueueSuper*> make_mqueue(Ref<PosixQueueSpace> space) {
  return TRY(MqueueSuper::create(std::move(space))).leak();
}

void release_mqueue(MqueueSuper* super) {
  super->forget();
  super->unref();
}

Result<Ref<fs::SuperBlock>> mount_mqueue(std::string_view, std::string_view) {
  return Ref<fs::SuperBlock>(*TRY(Task::current().namespaces().ipc().mqueue()));
}

Result<Ref<fs::File>> open_queue(Task& task, std::string_view name, uint32_t flags, uint32_t mode,
                                 const QueueAttributes* wanted) {
  MqueueSuper& super = *TRY(task.namespaces().ipc().mqueue());
  TRY(check_name(name));
  fs::Path path = super.path();
  TRY(fs::check_access(task.creds(), path, fs::kExec));
  {
    LockGuard guard(super.dir().lock);
    path.dentry = TRY(find_or_create(task, super, name, flags, mode, wanted));
  }
  constexpr uint32_t kKept = fs::open_flag::accmode | fs::open_flag::nonblock;
  Ref<fs::File> file = TRY(path.dentry->inode()->open(flags & kKept));
  file->set_path(std::move(path));
  return file;
}

Result<void> unlink_queue(Task& task, std::string_view name) {
  MqueueSuper& super = *TRY(task.namespaces().ipc().mqueue());
  TRY(check_name(name));
  return fs::remove(task.walk_context(), super.path(), name, false);
}

Result<PosixQueue*> queue_of(fs::File& file) {
  if (file.kind() != fs::FileKind::mqueue) return Errno::badf;
  return &static_cast<MqueueFile&>(file).queue();
}

}  // namespace runsc::kernel
