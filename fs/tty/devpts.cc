#include "fs/tty/devpts.h"

#include "fs/mount.h"
#include "fs/special.h"
#include "fs/tty/job_control.h"

namespace runsc::fs {

namespace {

constexpr uint64_t kPtsMajor = 136;
constexpr uint64_t kRootIno = 1, kPtmxIno = 2, kFirstPtsIno = 3;

// The instances for 5:2 nodes elsewhere, the newest first. Not counted: ~DevPts takes itself off.
constinit SpinLock g_newest_lock{LockRank::leaf};
constinit DevPts* g_newest GUARDED_BY(g_newest_lock) = nullptr;
constinit std::atomic<uint32_t> g_terminals{0};

// A device node of the instance: ptmx (no tty) or a slave.
class DeviceNode final : public Inode {
 public:
  DeviceNode(DevPts& super, Attr attr, Ref<Tty> tty)
      : Inode(super, kCharDev), attr_(attr), tty_(std::move(tty)) {}
  Result<Attr> get_attr() override {
    LockGuard guard(attr_lock_);
    return attr_;
  }
  Result<void> set_attr(const SetAttr& set) override {
    if (set.mask & SetAttr::kSize) return Errno::inval;
    Time now = now_realtime();
    LockGuard guard(attr_lock_);
    if (set.mask & SetAttr::kMode) attr_.mode = kCharDev | (set.mode & 07777);
    if (set.mask & SetAttr::kUid) attr_.uid = set.uid;
    if (set.mask & SetAttr::kGid) attr_.gid = set.gid;
    if (set.mask & (SetAttr::kAtime | SetAttr::kAtimeNow))
      attr_.atime = set.mask & SetAttr::kAtimeNow ? now : set.atime;
    if (set.mask & (SetAttr::kMtime | SetAttr::kMtimeNow))
      attr_.mtime = set.mask & SetAttr::kMtimeNow ? now : set.mtime;
    attr_.ctime = now;
    return {};
  }
  Result<Ref<File>> open(uint32_t flags) override { return open_special(*this, flags); }
  const Ref<Tty>& tty() const { return tty_; }

 private:
  SpinLock attr_lock_{LockRank::leaf};
  Attr attr_ GUARDED_BY(attr_lock_);
  const Ref<Tty> tty_;
};

class RootNode final : public Inode {
 public:
  RootNode(DevPts& super, Ref<Inode> ptmx, Time born)
      : Inode(super, kDirectory), pts_(super), born_(born), ptmx_(std::move(ptmx)) {}
  Result<Attr> get_attr() override {
    Attr a;
    a.dev = pts_.dev();
    a.ino = kRootIno;
    a.mode = kDirectory | 0755;
    a.nlink = 2;
    a.block_size = 1024;
    a.atime = a.mtime = a.ctime = a.btime = born_;
    return a;
  }
  Result<void> set_attr(const SetAttr&) override { return Errno::perm; }
  Result<Ref<Inode>> lookup(std::string_view name) override {
    if (name == "ptmx") return ptmx_;
    uint32_t index = 0;
    if (name.empty() || name.size() > 4 || (name[0] == '0' && name.size() > 1)) return Errno::noent;
    for (char c : name) {
      if (c < '0' || c > '9') return Errno::noent;
      index = index * 10 + static_cast<uint32_t>(c - '0');
    }
    Ref<Inode> node = pts_.inode_of(index);
    if (!node) return Errno::noent;
    return node;
  }
  Result<Ref<File>> open(uint32_t flags) override;
  DevPts& pts() { return pts_; }

 private:
  DevPts& pts_;
  const Time born_;
  const Ref<Inode> ptmx_;
};

Result<Ref<Inode>> make_root(DevPts& pts) {
  const Time born = now_realtime();
  Attr a;
  a.dev = pts.dev();
  a.ino = kPtmxIno;
  a.mode = kCharDev | pts.ptmx_mode();
  a.rdev = make_dev(5, 2);
  a.atime = a.mtime = a.ctime = a.btime = born;
  Ref<Inode> ptmx = make_ref<DeviceNode>(pts, a, Ref<Tty>());
  if (!ptmx) return Errno::nomem;
  Ref<Inode> root = make_ref<RootNode>(pts, std::move(ptmx), born);
  if (!root) return Errno::nomem;
  return root;
}

class RootFile final : public File {
 public:
  RootFile(uint32_t flags, Ref<Inode> inode, DevPts& pts) : File(flags, std::move(inode)), pts_(pts) {}
  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    if (whence == 1) offset += static_cast<int64_t>(current);
    if (whence > 1 || offset < 0) return Errno::inval;
    return static_cast<uint64_t>(offset);
  }
  // Offsets: 0 ".", 1 "..", 2 ptmx, 3 + index.
  Result<uint64_t> read_dir(DirSink& sink, uint64_t offset) override {
    constexpr uint8_t kDtDir = 4, kDtChr = 2;
    if (offset == 0 && !sink.add(".", kRootIno, kDtDir, 1)) return offset;
    if (offset <= 1 && !sink.add("..", kRootIno, kDtDir, 2)) return offset > 1 ? offset : 1;
    if (offset <= 2 && !sink.add("ptmx", kPtmxIno, kDtChr, 3)) return 2;
    uint64_t at = offset < 3 ? 3 : offset;
    for (;;) {
      int64_t index = pts_.next_index(static_cast<uint32_t>(at - 3));
      if (index < 0) return at;
      char room[12];
      FixedText name(room);
      format(name, "{}", index);
      at = static_cast<uint64_t>(index) + 3;
      if (!sink.add(name.view(), kFirstPtsIno + static_cast<uint64_t>(index), kDtChr, at + 1)) return at;
      ++at;
    }
  }

 private:
  DevPts& pts_;
};

Result<Ref<File>> RootNode::open(uint32_t flags) {
  Ref<File> file = make_ref<RootFile>(flags, Ref<Inode>(*this), pts_);
  if (!file) return Errno::nomem;
  return file;
}

Result<uint32_t> parse_number(std::string_view text, uint32_t base) {
  uint32_t v = 0;
  if (text.empty()) return Errno::inval;
  for (char c : text) {
    if (c < '0' || static_cast<uint32_t>(c - '0') >= base || v > 0x0fffffff) return Errno::inval;
    v = v * base + static_cast<uint32_t>(c - '0');
  }
  return v;
}

Ref<DevPts> instance_of(Inode& inode) {
  if (inode.super().type_name() == "devpts") return Ref<DevPts>(static_cast<DevPts&>(inode.super()));
  return DevPts::newest();
}

}  // namespace

Result<Ref<SuperBlock>> DevPts::mount(std::string_view, std::string_view data) {
  Ref<DevPts> pts = make_ref<DevPts>();
  if (!pts) return Errno::nomem;
  while (!data.empty()) {
    size_t comma = data.find(',');
    std::string_view option = data.substr(0, comma);
    data = comma == std::string_view::npos ? std::string_view{} : data.substr(comma + 1);
    size_t eq = option.find('=');
    std::string_view key = option.substr(0, eq),
                     value = eq == std::string_view::npos ? std::string_view{} : option.substr(eq + 1);
    if (key == "gid") {
      pts->gid_ = TRY(parse_number(value, 10));
      pts->gid_set_ = true;
    } else if (key == "mode") {
      pts->mode_ = TRY(parse_number(value, 8)) & 0777;
    } else if (key == "ptmxmode") {
      pts->ptmx_mode_ = TRY(parse_number(value, 8)) & 0777;
    } else if (key == "max") {
      uint32_t max = TRY(parse_number(value, 10));
      pts->max_ = max < kMaxTtys ? max : kMaxTtys;
    } else if (key != "newinstance" && !key.empty()) {
      return Errno::inval;
    }
  }
  pts->root_ = TRY(make_root(*pts));
  return Ref<SuperBlock>(pts);
}

DevPts::~DevPts() { withdraw(); }

Ref<DevPts> DevPts::newest() {
  LockGuard guard(g_newest_lock);
  if (!g_newest || !g_newest->try_ref()) return {};
  return Ref<DevPts>::adopt(g_newest);
}

Ref<Dentry> DevPts::root_dentry() {
  if (owner()) return {};
  LockGuard guard(g_newest_lock);
  if (std::exchange(serves_, true)) return {};
  older_ = std::exchange(g_newest, this);
  return {};
}

void DevPts::withdraw() {
  LockGuard guard(g_newest_lock);
  if (!std::exchange(serves_, false)) return;
  DevPts** at = &g_newest;
  while (*at != this) at = &(*at)->older_;
  *at = older_;
}

void DevPts::unmounted() {
  withdraw();
  root_ = {};
}

FsStat DevPts::stat_fs() {
  FsStat s;
  s.type = kMagic;
  return s;
}

void DevPts::show_options(TextSink& out) const {
  if (gid_set_) format(out, ",gid={}", gid_);
  format(out, ",mode={:o},ptmxmode={:03o}", mode_, ptmx_mode_);
}

Result<Ref<Tty>> DevPts::allocate(const Credentials& creds) {
  LockGuard guard(lock_);
  uint32_t index = 0;
  while (index < nodes_.size() && nodes_[index]) ++index;
  if (index >= max_) return Errno::nospc;
  // Several at once may pass by a few.
  if (g_terminals.load(std::memory_order_relaxed) >= kMaxAll - (owner() ? kReserved : 0)) return Errno::nospc;
  if (index == nodes_.size()) TRY(nodes_.push_back({}));
  Ref<Tty> tty = TRY(Tty::create(index));
  Attr a;
  a.dev = dev();
  a.ino = kFirstPtsIno + index;
  a.mode = kCharDev | mode_;
  a.uid = creds.fsuid;
  a.gid = gid_set_ ? gid_ : creds.fsgid;
  a.rdev = make_dev(kPtsMajor, index);
  a.block_size = 1024;
  a.atime = a.mtime = a.ctime = a.btime = now_realtime();
  Ref<Inode> node = make_ref<DeviceNode>(*this, a, tty);
  if (!node) return Errno::nomem;
  nodes_[index] = std::move(node);
  g_terminals.fetch_add(1, std::memory_order_relaxed);
  return tty;
}

void DevPts::forget(const Tty& tty) {
  Ref<Inode> gone;
  LockGuard guard(lock_);
  if (tty.index() < nodes_.size()) gone = std::exchange(nodes_[tty.index()], {});
  if (gone) g_terminals.fetch_sub(1, std::memory_order_relaxed);
}

Ref<Inode> DevPts::inode_of(uint32_t index) {
  LockGuard guard(lock_);
  if (index >= nodes_.size()) return {};
  return nodes_[index];
}

int64_t DevPts::next_index(uint32_t from) {
  LockGuard guard(lock_);
  for (size_t i = from; i < nodes_.size(); ++i)
    if (nodes_[i]) return static_cast<int64_t>(i);
  return -1;
}

Result<Ref<File>> open_ptmx(Ref<Inode> inode, uint32_t flags, const Credentials& creds) {
  Ref<DevPts> pts = instance_of(*inode);
  if (!pts) return Errno::nodev;
  Ref<Tty> tty = TRY(pts->allocate(creds));
  Ref<File> file = make_ref<TtyMaster>(tty, flags, std::move(inode), pts);
  if (!file) {
    pts->forget(*tty);
    return Errno::nomem;
  }
  return file;
}

Result<Ref<File>> open_pts(Ref<Inode> inode, uint32_t flags) {
  if (inode->super().type_name() != "devpts") return Errno::nxio;
  Ref<Tty> tty = static_cast<DeviceNode&>(*inode).tty();
  if (!tty) return Errno::nxio;
  if (tty->locked()) return Errno::io;
  if (tty->exclusive() && !job_control::current_has_sys_admin()) return Errno::busy;
  Ref<File> file = make_ref<TtySlave>(tty, flags, std::move(inode));
  if (!file) return Errno::nomem;
  if (!(flags & open_flag::noctty)) (void)tty->become_controlling(false);
  return file;
}

Result<Ref<File>> open_peer(const WalkContext& context, File& file, uint32_t flags) {
  if (file.kind() != FileKind::tty) return Errno::notty;
  if (!static_cast<TtyFile&>(file).is_master()) return Errno::io;
  auto& master = static_cast<TtyMaster&>(file);
  const Path& at = file.path();
  if (!at) return Errno::nodev;
  char room[24];
  FixedText name(room);
  Path start(at.mount, Ref<Dentry>(at.mount->root()));
  if (&file.inode()->super() != &master.home()) {  // a ptmx that stands beside its pts
    start.dentry = at.dentry->parent();
    format(name, "pts/");
  }
  if (!start.dentry) return Errno::nodev;
  format(name, "{}", master.tty().index());
  Path peer = TRY(walk(context, start, name.view(), 0));
  if (&inode_of(peer) != master.home().inode_of(master.tty().index()).get()) return Errno::nodev;
  flags &= ~(open_flag::cloexec | open_flag::creat | open_flag::excl | open_flag::trunc);
  Ref<File> slave = TRY(inode_of(peer).open(flags));
  slave->set_flags(slave->flags() & ~open_flag::noctty);
  slave->set_path(std::move(peer));
  return slave;
}

Result<ConsolePair> make_console(const Credentials& creds) {
  Ref<DevPts> pts = DevPts::newest();
  if (!pts) return Errno::nodev;
  ConsolePair pair;
  pair.tty = TRY(pts->allocate(creds));
  pair.tty->unlock();
  pair.node = pts->inode_of(pair.tty->index());
  return pair;
}

Result<Ref<File>> open_console(const ConsolePair& console, uint32_t flags) {
  Ref<File> file = make_ref<TtySlave>(console.tty, flags, console.node);
  if (!file) return Errno::nomem;
  return file;
}

TtyMaster::TtyMaster(Ref<Tty> tty, uint32_t flags, Ref<Inode> inode, Ref<DevPts> home)
    : TtyFile(std::move(tty), flags, std::move(inode), true), home_(std::move(home)) {}

TtyMaster::~TtyMaster() {
  home_->forget(*tty_);
  tty_->master_closed();
}

}  // namespace runsc::fs
