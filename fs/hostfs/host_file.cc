// Open files and directories of hostfs.
#include "fs/dir_helpers.h"
#include "fs/hostfs/hostfs.h"
#include "kvm/hostcall/sync_kind.h"

namespace runsc::fs {

namespace {

Result<void> sync_on_host(const HostHandle& handle, bool data_only) {
  auto reply = hostcall::call<hostcall::Sync>([&](hostcall::HandleRequest& r) {
    const auto kind = data_only ? hostcall::SyncKind::data : hostcall::SyncKind::file;
    r = {handle.number(), static_cast<uint32_t>(kind)};
  });
  if (!reply) return reply.error();
  return {};
}

class HostFile final : public File {
 public:
  HostFile(uint32_t flags, Ref<HostInode> node, Ref<HostHandle> handle)
      : File(flags, node), node_(std::move(node)), handle_(std::move(handle)) {}
  ~HostFile() override { node_->mapping().users().forget_unused_name(); }

  bool seekable() const override { return true; }
  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override;
  Result<size_t> write(mm::IoBuf& buf, uint64_t offset) override;
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override;
  Result<mm::MappableRef> mappable(bool shared_write) override;
  Result<Attr> get_attr() override;
  Result<void> sync(bool data_only) override;
  Result<void> allocate(int mode, uint64_t offset, uint64_t size) override;

 private:
  // Shared files keep their handle: the name may be gone. Exclusive ones open again when the cache let go.
  Result<Ref<HostHandle>> handle(bool write) {
    if (handle_) return handle_;
    return node_->open_handle(write);
  }
  Ref<HostInode> node_;
  Ref<HostHandle> handle_;
};

Result<size_t> HostFile::read(mm::IoBuf& buf, uint64_t offset) {
  if (!node_->host().exclusive()) {
    Ref<HostHandle> h = TRY(handle(false));
    return h->read(buf, offset, buf.remaining());
  }
  uint64_t end = node_->known_size();
  if (offset >= end) return size_t{0};
  return node_->read_range(buf, offset, end - offset < buf.remaining() ? end - offset : buf.remaining());
}

Result<size_t> HostFile::write(mm::IoBuf& buf, uint64_t offset) {
  if (buf.remaining() == 0) return size_t{0};
  Ref<HostHandle> h = TRY(handle(true));
  LockGuard guard(node_->lock);
  if (flags() & open_flag::append) offset = TRY(node_->refresh(h.get())).size;
  return h->write(buf, offset);
}

Result<uint64_t> HostFile::seek(int64_t offset, int whence, uint64_t current) {
  constexpr int kData = 3, kHole = 4;
  if (whence == kData || whence == kHole) {
    if (offset < 0) return Errno::nxio;
    Ref<HostHandle> h = TRY(handle(false));
    auto reply = hostcall::call<hostcall::SeekData>([&](hostcall::SeekData::Request& r) {
      r.handle = h->number();
      r.whence = static_cast<uint32_t>(whence);
      r.offset = static_cast<uint64_t>(offset);
    });
    if (!reply) return reply.error();
    return uint64_t{(*reply)->size};
  }
  uint64_t size = 0;
  if (whence == 2) size = TRY(get_attr()).size;
  return seek_in_file(offset, whence, current, size);
}

Result<mm::MappableRef> HostFile::mappable(bool shared_write) {
  if (shared_write) {
    (void)TRY(node_->open_handle(true));
    node_->mapping().prepare_shared_writes();
  }
  if (path()) node_->mapping().users().set_name(path());
  return mm::MappableRef(node_->mapping());
}

Result<Attr> HostFile::get_attr() {
  if (node_->host().exclusive() || !handle_) return node_->get_attr();
  return node_->refresh(handle_.get());
}

Result<void> HostFile::sync(bool data_only) {
  if (node_->host().exclusive()) return {};
  Ref<HostHandle> h = TRY(handle(false));
  return sync_on_host(*h, data_only);
}

Result<void> HostFile::allocate(int mode, uint64_t offset, uint64_t size) {
  Ref<HostHandle> h = TRY(handle(true));
  auto reply = hostcall::call<hostcall::Allocate>([&](hostcall::Allocate::Request& r) {
    r.handle = h->number();
    r.mode = static_cast<uint32_t>(mode);
    r.offset = offset;
    r.size = size;
  });
  if (!reply) return reply.error();
  return {};
}

// An open directory reads all names when it starts, and again after a seek to the start.
class HostDirFile final : public File {
 public:
  HostDirFile(uint32_t flags, Ref<HostInode> node) : File(flags, node), node_(std::move(node)) {}
  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    return seek_in_directory(offset, whence, current);
  }
  Result<uint64_t> read_dir(DirSink& sink, uint64_t offset) override;
  Result<void> sync(bool data_only) override {
    if (node_->host().exclusive()) return {};
    Ref<HostHandle> handle = TRY(node_->open_handle(false));
    return sync_on_host(*handle, data_only);
  }

 private:
  Ref<HostInode> node_;
  Mutex lock_{LockRank::inode};
  Ref<HostListing> listing_ GUARDED_BY(lock_);
};

Result<uint64_t> HostDirFile::read_dir(DirSink& sink, uint64_t offset) {
  Ref<HostListing> names;
  {
    LockGuard guard(lock_);
    if (!listing_ || offset == 0) listing_ = TRY(node_->listing());
    names = listing_;
  }
  uint64_t at = TRY(emit_dots(*this, sink, offset));
  if (at < 2) return at;
  for (; at - 2 < names->entries.size(); ++at) {
    const HostListing::Entry& e = names->entries[at - 2];
    if (!sink.add(e.name.view(), e.ino, e.type, at + 1)) break;
  }
  return at;
}

}  // namespace

namespace {
constinit std::atomic<HostFifoOpen> host_fifo_opener{nullptr};
}

void set_host_fifo_opener(HostFifoOpen open) { host_fifo_opener.store(open, std::memory_order_release); }

Result<hostcall::Handle> HostInode::open_fifo(uint32_t flags) {
  auto reply = hostcall::call<hostcall::OpenPath>([&](hostcall::OpenPath::Request& r) {
    write_path(r.path);
    r.flags = flags & open_flag::accmode;
    r.mode = 0;
    r.uid = r.gid = ~0u;
  });
  if (!reply) return reply.error();
  return (*reply)->handle;
}

Result<Ref<File>> HostInode::open(uint32_t flags) {
  if (is_dir()) {
    Ref<File> file = make_ref<HostDirFile>(flags, Ref<HostInode>(*this));
    if (!file) return Errno::nomem;
    return file;
  }
  if (type() == kFifo && !host().exclusive()) {
    const HostFifoOpen opener = host_fifo_opener.load(std::memory_order_acquire);
    Result<Ref<File>> file = opener ? opener(Ref<HostInode>(*this), flags) : Errno::perm;
    if (file || file.error() != Errno::perm || !host().made_fifo(TRY(cached_attr()).ino)) return file;
  }
  if (type() != kRegular) return Inode::open(flags);
  Ref<HostHandle> handle;
  if (!host().exclusive()) handle = TRY(open_handle((flags & open_flag::accmode) != open_flag::rdonly));
  Ref<File> file = make_ref<HostFile>(flags, Ref<HostInode>(*this), std::move(handle));
  if (!file) return Errno::nomem;
  return file;
}

// ---- mappings ----

void HostMapping::ref_mappable() { owner_.ref(); }
void HostMapping::unref_mappable() { owner_.unref(); }
uint64_t HostMapping::device() const { return owner_.super().dev(); }

uint64_t HostMapping::inode_number() const {
  Result<Attr> attr = owner_.cached_attr();
  return attr ? attr->ino : 0;
}

Result<mm::MappedPage> HostMapping::get_page(uint64_t offset, bool write) {
  bool writable = write || writable_.load(std::memory_order_acquire);
  if (write && owner_.host().exclusive()) return Errno::io;
  Ref<HostHandle> handle = TRY(owner_.open_handle(writable));
  uint64_t size = owner_.known_size();
  if (offset >= size && !owner_.host().exclusive()) size = TRY(owner_.refresh(handle.get())).size;
  uint64_t phys = TRY(owner_.window().page(*handle, offset, size, writable));
  return mm::MappedPage{phys, nullptr};
}

size_t HostMapping::get_pages_around(uint64_t offset, size_t count, mm::MappedPage* out) {
  uint64_t end = mm::page_up(owner_.known_size()) / mm::kPageSize, first = offset / mm::kPageSize + 1;
  if (first >= end) return 0;
  if (count > end - first) count = end - first;
  return owner_.window().pages_at_hand(offset, count, writable_.load(std::memory_order_acquire), out);
}

void HostMapping::mapped(mm::AddressSpace&, uint64_t, uint64_t, uint64_t size) {
  owner_.pin_window(size);
  users_.mapped(size);
}

void HostMapping::unmapped(mm::AddressSpace&, uint64_t, uint64_t, uint64_t size) {
  users_.unmapped(size);
  owner_.unpin_window(size);
}

Result<void> HostMapping::sync_range(uint64_t, uint64_t) {
  if (owner_.host().exclusive()) return {};
  Ref<HostHandle> handle = TRY(owner_.open_handle(writable_.load(std::memory_order_acquire)));
  return sync_on_host(*handle, true);
}

}  // namespace runsc::fs
