#include "fs/file.h"

#include "fs/file_count.h"
#include "fs/file_lock.h"
#include "fs/inode.h"
#include "fs/lease.h"
#include "fs/mount.h"
#include "fs/notify.h"
#include "fs/write_access.h"

namespace runsc::fs {

Path::Path() = default;
Path::Path(Ref<Mount> m, Ref<Dentry> d) : mount(std::move(m)), dentry(std::move(d)) {}
Path::Path(const Path& o) = default;
Path::Path(Path&& o) noexcept = default;
Path& Path::operator=(Path o) noexcept {
  std::swap(mount, o.mount);
  std::swap(dentry, o.dentry);
  return *this;
}
Path::~Path() = default;

namespace {
constinit std::atomic<uint64_t> g_count{0};
}

uint64_t file_count() { return g_count.load(std::memory_order_relaxed); }

File::File(uint32_t flags) : File(flags, nullptr) {}
File::File(uint32_t flags, Ref<Inode> inode) : flags_(flags), inode_(std::move(inode)) {
  g_count.fetch_add(1, std::memory_order_relaxed);
  if (!inode_ || !writable()) return;
  // Whoever opens for writing has made it, and holds it off executions.
  if (Ref<WriteAccess> access = WriteAccess::existing(*inode_)) access->hold_write();
}

// OFD and flock locks end with the open file description.
File::~File() {
  g_count.fetch_sub(1, std::memory_order_relaxed);
  if (!inode_) return;
  notify_file(*this, writable() ? notify_bit::close_write : notify_bit::close_nowrite);
  if (writable())
    if (Ref<WriteAccess> access = WriteAccess::existing(*inode_)) access->end_write();
  if (Ref<FileLocks> locks = FileLocks::existing(*inode_)) locks->drop_owner(this);
  lease_drop(*this);
}

Result<size_t> File::read(mm::IoBuf&, uint64_t) {
  if (inode_ && inode_->is_dir()) return Errno::isdir;
  return Errno::inval;
}

Result<size_t> File::write(mm::IoBuf&, uint64_t) { return Errno::inval; }

Result<uint64_t> File::seek(int64_t, int, uint64_t) { return Errno::spipe; }

Result<uint64_t> File::read_dir(DirSink&, uint64_t) { return Errno::notdir; }

Result<uint64_t> File::ioctl(uint32_t, uint64_t, const IoctlContext&) { return Errno::notty; }
Result<Ref<File>> File::reopen(uint32_t) { return Errno::nxio; }

Result<mm::MappableRef> File::mappable(bool) { return Errno::nodev; }

Result<Attr> File::get_attr() {
  if (inode_) return inode_->get_attr();
  // Objects without an inode are Linux's anonymous inodes: mode 0600 without a type.
  Attr a;
  a.dev = make_dev(0, 14);
  a.ino = 1;
  a.mode = 0600;
  return a;
}

Result<void> File::set_attr(const SetAttr& attr) {
  if (!inode_) return Errno::inval;
  return inode_->set_attr(attr);
}

Result<void> File::sync(bool) { return Errno::inval; }

Result<void> File::allocate(int, uint64_t, uint64_t) { return Errno::opnotsupp; }

void File::describe(TextSink& out) const {
  if (!inode_) return out.write("anon_inode:[unknown]");
  Result<Attr> attr = inode_->get_attr();
  format(out, "{}:[{}]",
         inode_->type() == kSocket ? "socket"
         : inode_->type() == kFifo ? "pipe"
                                   : "file",
         attr ? attr->ino : 0);
}

}  // namespace runsc::fs
