// hostfs: a directory that the host donated. Two kinds: the read-only layer under the container's root, which
// nobody changes while the sandbox lives (names, attributes and bytes are kept for ever), and bind mounts,
// which the host may change at any time (everything is asked again).
#pragma once

#include <boost/intrusive/set.hpp>

#include "fs/hostfs/host_handle.h"
#include "fs/hostfs/host_window.h"
#include "fs/page_cache.h"

namespace runsc::fs {

class HostInode;

enum class Sharing : uint8_t { exclusive, shared };

class HostSuper final : public SuperBlock {
 public:
  // `root`: a donated directory, or a donated regular file or special file (a bind of a file). Errors of the
  // host; ENOMEM.
  // The handle is its own from then on.
  static Result<Ref<HostSuper>> create(hostcall::Handle root, Sharing sharing);
  ~HostSuper() override;

  Ref<Inode> root() override;
  Ref<HostInode> host_root() { return root_; }
  std::string_view type_name() const override { return "hostfs"; }
  FsStat stat_fs() override;
  Result<void> sync() override;
  bool cache_names() const override { return sharing_ == Sharing::exclusive; }
  void unmounted() override;
  void watched(Inode& inode) override;

  // Those that the host may change, in order of their making: the one after `at`; null: the first. `at` and
  // the result are in the list as long as they are counted.
  static Ref<HostSuper> next_shared(const HostSuper* at);
  // FIFOs that were made here are known again by their numbers, however often they are looked up: without
  // --host-fifo they are pipes of the sandbox, while those of others are not to be had.
  void note_fifo(uint64_t ino);
  void forget_fifo(uint64_t ino);
  bool made_fifo(uint64_t ino);

  bool is_mounted() { return static_cast<bool>(mounted_root()); }
  uint64_t host_device() const { return host_dev_; }

  hostcall::Handle handle() const { return handle_; }
  bool exclusive() const { return sharing_ == Sharing::exclusive; }
  // Parents and names of inodes change under it.
  SpinLock& tree_lock() { return tree_lock_; }
  uint64_t map_ino(const hostcall::HostStat& stat) const;

 private:
  friend struct SharedSupers;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  HostSuper(hostcall::Handle handle, Sharing sharing) : handle_(handle), sharing_(sharing) {}
  Ref<HostInode> mounted_root();

  const hostcall::Handle handle_;
  const Sharing sharing_;
  uint64_t host_dev_ = 0;
  Ref<HostInode> root_;  // changes under the tree's lock; who has it mounted need not take that
  SpinLock tree_lock_{LockRank::dcache};
  Mutex fifo_lock_{LockRank::hostfs};
  Vec<uint64_t> fifos_ GUARDED_BY(fifo_lock_);
  HostSuper *next_shared_ = nullptr, *prev_shared_ = nullptr;
};

// The names of a host directory at one moment, in the host's order; of exclusive directories with attributes.
struct HostListing final : RefCounted<HostListing> {
  struct Entry {
    String name;
    uint64_t ino;
    uint8_t type;
    bool has_stat;
    hostcall::HostStat stat;
  };
  Vec<Entry> entries;
  Vec<uint32_t> by_name;  // indexes of entries, sorted; empty: not made

  // Makes by_name. ENOMEM.
  Result<void> sort();
  const Entry* find(std::string_view name) const;
};

// What mmap(2) of a host file sees: pages of the window.
class HostMapping final : public mm::Mappable {
 public:
  explicit HostMapping(HostInode& owner) : owner_(owner) {}
  // From now on pages come from writable parts of the window.
  void prepare_shared_writes() { writable_.store(true, std::memory_order_release); }
  MappingUsers& users() { return users_; }

  void ref_mappable() override;
  void unref_mappable() override;
  Result<mm::MappedPage> get_page(uint64_t offset, bool write) override;
  size_t get_pages_around(uint64_t offset, size_t count, mm::MappedPage* out) override;
  void describe(TextSink& out) const override { users_.describe(out); }
  bool file_path(Path& out) const override { return users_.path(out); }
  uint64_t device() const override;
  uint64_t inode_number() const override;
  bool tracks_writes() const override { return !writable_.load(std::memory_order_acquire); }
  void mapped(mm::AddressSpace& space, uint64_t address, uint64_t offset, uint64_t size) override;
  void unmapped(mm::AddressSpace& space, uint64_t address, uint64_t offset, uint64_t size) override;
  Result<void> sync_range(uint64_t offset, uint64_t size) override;

 private:
  HostInode& owner_;
  std::atomic<bool> writable_{false};
  MappingUsers users_;
};

class HostInode final : public Inode, public PageSource, public HandleOwner {
 public:
  HostInode(HostSuper& super, Ref<HostInode> parent, String name, const hostcall::HostStat& stat);
  ~HostInode() override;

  HostSuper& host() const { return static_cast<HostSuper&>(super()); }

  Result<Attr> get_attr() override;
  Result<void> set_attr(const SetAttr& attr) override;
  Result<Ref<Inode>> lookup(std::string_view name) override;
  Result<Ref<Inode>> create(std::string_view name, const NewNode& node) override;
  Result<Ref<Inode>> make_dir(std::string_view name, const NewNode& node) override;
  Result<Ref<Inode>> symlink(std::string_view name, std::string_view target, const NewNode& node) override;
  Result<void> link(std::string_view name, Inode& target) override;
  Result<void> unlink(std::string_view name, Inode& child) override;
  Result<void> remove_dir(std::string_view name, Inode& child) override;
  Result<void> rename(std::string_view name, Inode& child, Inode& new_dir, std::string_view new_name,
                      Inode* replaced, uint32_t flags) override;
  Result<String> read_link() override;
  Result<Ref<File>> open(uint32_t flags) override;
  Result<void> prepare_write(bool truncate) override;
  Result<size_t> get_xattr(std::string_view name, std::span<std::byte> out) override;
  Result<void> set_xattr(std::string_view name, std::span<const std::byte> value, int flags) override;
  Result<void> remove_xattr(std::string_view name) override;
  Result<size_t> list_xattr(std::span<char> out) override;

  // As lookup, typed.
  Result<Ref<HostInode>> lookup_host(std::string_view name);
  // All names; kept for exclusive directories.
  Result<Ref<HostListing>> listing();
  Ref<HostListing> known_listing();  // null: not read yet

  // An open handle of the host file. EROFS for writing to an exclusive layer.
  Result<Ref<HostHandle>> open_handle(bool write);
  // One end of the host's FIFO (flags: the access mode), which never blocks. EPERM: the host does not allow
  // it; ENXIO: for writing only, and nobody reads.
  Result<hostcall::Handle> open_fifo(uint32_t flags);
  // Attributes asked now, through `handle` if there is one; remembered.
  Result<Attr> refresh(const HostHandle* handle);

  // PageSource.
  Result<size_t> read_range(mm::IoBuf& buf, uint64_t offset, size_t size) override;
  Result<void> read_bytes(void* to, uint64_t offset, size_t size) override;
  Result<uint64_t> window_page(uint64_t offset) override;
  size_t window_pages_at_hand(uint64_t offset, size_t count, mm::MappedPage* out) override;
  void pin_window(uint64_t size) override { window_.pin(size); }
  void unpin_window(uint64_t size) override { window_.unpin(size); }
  HostWindow& window() { return window_; }
  HostMapping& mapping() { return mapping_; }
  uint64_t known_size() const;
  // A file that has lost its last name goes with its last open file: what is only kept for later lets it go.
  void let_go_if_removed();
  Result<Attr> cached_attr() const;

  // Writes this inode's path, with `child` after it unless empty, for a hostcall.
  void write_path(hostcall::PathArg& out, std::string_view child = {}) const;

 private:
  friend struct HostChildren;
  struct ByName;
  void remember(const hostcall::HostStat& stat);
  Result<Ref<HostInode>> adopt_child(std::string_view name, const hostcall::HostStat& stat);
  Result<Ref<Inode>> make_host_node(std::string_view name, uint32_t mode, const NewNode& node,
                                    std::string_view target);
  void forget_child(HostInode& child);
  Result<size_t> copy_shown(mm::IoBuf& buf, uint64_t offset, size_t size);
  bool worth_showing(uint64_t offset);

  mutable SpinLock attr_lock_{LockRank::leaf};
  Attr attr_ GUARDED_BY(attr_lock_);

  Ref<HostInode> parent_;  // under host().tree_lock(), as the name and the children
  String name_;
  boost::intrusive::set_member_hook<> child_hook_;
  struct NameOf {
    using type = std::string_view;
    type operator()(const HostInode& i) const { return i.name_.view(); }
  };
  using Children = boost::intrusive::set<
      HostInode,
      boost::intrusive::member_hook<HostInode, boost::intrusive::set_member_hook<>, &HostInode::child_hook_>,
      boost::intrusive::key_of_value<NameOf>, boost::intrusive::constant_time_size<false>>;
  Children children_;  // known children of a shared directory, not counted

  std::atomic<uint32_t> reads_from_start_{0};
  HostWindow window_;
  HostMapping mapping_;
  Mutex listing_lock_{LockRank::hostfs};
  Ref<HostListing> listing_ GUARDED_BY(listing_lock_);
};

Attr attr_of(const hostcall::HostStat& stat);

// Makes the File of a FIFO of the host; the kernel's, which keeps streams of the host.
using HostFifoOpen = Result<Ref<File>> (*)(Ref<HostInode> inode, uint32_t flags);
void set_host_fifo_opener(HostFifoOpen open);

}  // namespace runsc::fs
