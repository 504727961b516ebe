// devpts: /dev/pts and the multiplexer /dev/ptmx (pts(4)).
#pragma once

#include "fs/credentials.h"
#include "fs/inode.h"
#include "fs/namespace.h"
#include "fs/tty/tty.h"
#include "kernel/base/vec.h"

namespace runsc::fs {

class DevPts final : public SuperBlock {
 public:
  static constexpr uint32_t kMaxTtys = 1024;
  static constexpr uint64_t kMagic = 0x1cd1;

  // All terminals of all instances; the last of them are for those of the first user namespace.
  static constexpr uint32_t kMaxAll = 4096, kReserved = 1024;

  // Options: gid=, mode=, ptmxmode=, max=, newinstance. EINVAL. The newest of those that are mounted and
  // belong to the first user namespace serves device nodes 5:2 that stand outside of any devpts.
  static Result<Ref<SuperBlock>> mount(std::string_view source, std::string_view data);
  ~DevPts() override;

  Ref<Inode> root() override { return root_; }
  // Each mount has its own; asked for when there is one.
  Ref<Dentry> root_dentry() override;
  void unmounted() override;
  std::string_view type_name() const override { return "devpts"; }
  FsStat stat_fs() override;
  bool cache_names() const override { return false; }
  void show_options(TextSink& out) const override;

  static Ref<DevPts> newest();
  // A new pair owned by `creds`. ENOSPC: all numbers are taken.
  Result<Ref<Tty>> allocate(const Credentials& creds);
  void forget(const Tty& tty);
  Ref<Inode> inode_of(uint32_t index);
  // Lowest index >= from in use, or -1.
  int64_t next_index(uint32_t from);
  uint32_t ptmx_mode() const { return ptmx_mode_; }

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  DevPts() = default;
  void withdraw();
  Mutex lock_{LockRank::hostfs};
  Vec<Ref<Inode>> nodes_ GUARDED_BY(lock_);  // by index; null: free
  Ref<Inode> root_;
  uint32_t gid_ = 0, mode_ = 0600, ptmx_mode_ = 0, max_ = kMaxTtys;
  bool gid_set_ = false;
  // Among those that serve nodes elsewhere: guarded in devpts.cc.
  bool serves_ = false;
  DevPts* older_ = nullptr;
};

Result<Ref<File>> open_ptmx(Ref<Inode> inode, uint32_t flags, const Credentials& creds);
Result<Ref<File>> open_pts(Ref<Inode> inode, uint32_t flags);
// TIOCGPTPEER: the slave of the master `file`, found beside it whatever its name is to the caller. ENOTTY:
// not a terminal; EIO: a slave, or one that is locked; ENODEV: not there.
Result<Ref<File>> open_peer(const WalkContext& context, File& file, uint32_t flags);
// A pair for the sentry's own use (the container's console). ENODEV without a devpts.
struct ConsolePair {
  Ref<Tty> tty;
  Ref<Inode> node;  // to be opened or bound on /dev/console
};
Result<ConsolePair> make_console(const Credentials& creds);
// The slave of a pair, opened. Its path is left empty.
Result<Ref<File>> open_console(const ConsolePair& console, uint32_t flags);

}  // namespace runsc::fs
