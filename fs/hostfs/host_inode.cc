#include "fs/hostfs/hostfs.h"
#include "kernel/base/check.h"

namespace runsc::fs {

using hostcall::HostStat;

Attr attr_of(const HostStat& s) {
  Attr a;
  a.ino = s.ino;
  a.mode = s.mode;
  a.nlink = s.nlink;
  a.uid = s.uid;
  a.gid = s.gid;
  a.rdev = s.rdev;
  a.size = s.size;
  a.blocks = s.blocks;
  a.block_size = s.block_size ? s.block_size : 4096;
  a.atime = {s.atime_sec, s.atime_nsec};
  a.mtime = {s.mtime_sec, s.mtime_nsec};
  a.ctime = {s.ctime_sec, s.ctime_nsec};
  a.btime = a.ctime;
  return a;
}

HostInode::HostInode(HostSuper& super, Ref<HostInode> parent, String name, const HostStat& stat)
    : Inode(super, stat.mode),
      parent_(std::move(parent)),
      name_(std::move(name)),
      window_(*this),
      mapping_(*this) {
  remember(stat);
}

HostInode::~HostInode() {
  if (parent_) parent_->forget_child(*this);
}

void HostInode::remember(const HostStat& stat) {
  Attr fresh = attr_of(stat);
  fresh.dev = host().dev();
  fresh.ino = host().map_ino(stat);
  fresh.mode = type() | (fresh.mode & 07777);
  LockGuard guard(attr_lock_);
  attr_ = fresh;
}

uint64_t HostInode::known_size() const {
  LockGuard guard(attr_lock_);
  return attr_.size;
}

// ---- paths ----

// From the end to the front; the parents stand still under the lock.
void HostInode::write_path(hostcall::PathArg& out, std::string_view child) const {
  out.root = host().handle();
  LockGuard guard(host().tree_lock());
  size_t total = child.size();
  for (const HostInode* i = this; i->parent_; i = i->parent_.get())
    total += i->name_.size() + (total ? 1 : 0);
  if (total >= hostcall::kMaxPath) {
    out.length = hostcall::kMaxPath;  // the monitor says ENAMETOOLONG
    return;
  }
  out.length = static_cast<uint32_t>(total);
  out.bytes[total] = 0;
  size_t at = total;
  auto add = [&](std::string_view s) {
    if (at != total) out.bytes[--at] = '/';
    at -= s.size();
    __builtin_memcpy(out.bytes + at, s.data(), s.size());
  };
  if (!child.empty()) add(child);
  for (const HostInode* i = this; i->parent_; i = i->parent_.get()) add(i->name_.view());
}

// ---- children ----

void HostInode::forget_child(HostInode& child) {
  LockGuard guard(host().tree_lock());
  if (child.child_hook_.is_linked()) children_.erase(children_.iterator_to(child));
}

// The inode for a name whose attributes have just been asked: the one that is known, if it is still the same
// file, or a new one.
Result<Ref<HostInode>> HostInode::adopt_child(std::string_view name, const HostStat& stat) {
  uint64_t ino = host().map_ino(stat);
  if (!host().exclusive()) {
    Ref<HostInode> known;
    {
      LockGuard guard(host().tree_lock());
      auto it = children_.find(name);
      if (it != children_.end() && it->try_ref()) known = Ref<HostInode>::adopt(&*it);
    }
    if (known && known->type() == (stat.mode & kTypeMask) && TRY(known->cached_attr()).ino == ino) {
      known->remember(stat);
      return known;
    }
  }
  String own_name = TRY(String::from(name));
  Ref<HostInode> fresh = make_ref<HostInode>(host(), Ref<HostInode>(*this), std::move(own_name), stat);
  if (!fresh) return Errno::nomem;
  if (host().exclusive()) return fresh;
  LockGuard guard(host().tree_lock());
  auto it = children_.find(name);
  if (it != children_.end()) children_.erase(it);
  children_.insert(*fresh);
  return fresh;
}

Result<Attr> HostInode::cached_attr() const {
  LockGuard guard(attr_lock_);
  return attr_;
}

Result<Ref<HostInode>> HostInode::lookup_host(std::string_view name) {
  if (host().exclusive()) {
    // A directory that has been listed knows all of its names.
    if (Ref<HostListing> names = known_listing()) {
      const HostListing::Entry* e = names->find(name);
      if (!e) return Errno::noent;
      if (e->has_stat) return adopt_child(name, e->stat);
    }
  }
  auto reply = hostcall::call<hostcall::StatPath>([&](hostcall::PathArg& p) { write_path(p, name); });
  if (!reply) return reply.error();
  HostStat stat = **reply;
  return adopt_child(name, stat);
}

Result<Ref<Inode>> HostInode::lookup(std::string_view name) {
  if (!is_dir()) return Errno::notdir;
  return Ref<Inode>(TRY(lookup_host(name)));
}

// ---- attributes ----

Result<Attr> HostInode::refresh(const HostHandle* handle) {
  HostStat stat;
  if (handle) {
    auto reply = hostcall::call<hostcall::Stat>([&](hostcall::HandleRequest& r) {
      r = {handle->number(), 0};
    });
    if (!reply) return reply.error();
    stat = **reply;
  } else {
    auto reply = hostcall::call<hostcall::StatPath>([&](hostcall::PathArg& p) { write_path(p); });
    if (!reply) return reply.error();
    stat = **reply;
  }
  remember(stat);
  return cached_attr();
}

Result<Attr> HostInode::get_attr() {
  if (!host().exclusive()) {
    Ref<HostHandle> handle = kept(false);
    Result<Attr> fresh = refresh(handle.get());
    // Removed behind our back, or by us while open: what was last seen.
    if (fresh || fresh.error() != Errno::noent) return fresh;
  }
  return cached_attr();
}

void HostInode::let_go_if_removed() {
  Ref<HostHandle> handle = kept(false);
  if (!handle) return;
  if (Result<Attr> attr = refresh(handle.get()); attr && attr->nlink == 0) drop_kept();
}

Result<void> HostInode::set_attr(const SetAttr& attr) {
  if (host().exclusive()) return Errno::rofs;
  if (attr.mask & SetAttr::kSize) {
    Ref<HostHandle> handle = TRY(open_handle(true));
    auto reply = hostcall::call<hostcall::Truncate>([&](hostcall::Truncate::Request& r) {
      r.handle = handle->number();
      r.size = attr.size;
    });
    if (!reply) return reply.error();
    {
      LockGuard guard(attr_lock_);
      attr_.size = attr.size;
    }
    uint64_t first = mm::page_up(attr.size);
    mm::unmap_from_all(mapping_, first, (~uint64_t{0} & ~mm::kPageMask) - first, true);
  }
  uint32_t mask = 0;
  auto carry = [&](uint32_t from, uint32_t to) { mask |= attr.mask & from ? to : 0; };
  using Host = hostcall::SetAttr;
  carry(SetAttr::kMode, Host::kMode), carry(SetAttr::kUid, Host::kUid), carry(SetAttr::kGid, Host::kGid);
  carry(SetAttr::kAtime, Host::kAtime), carry(SetAttr::kMtime, Host::kMtime);
  carry(SetAttr::kAtimeNow, Host::kAtimeNow), carry(SetAttr::kMtimeNow, Host::kMtimeNow);
  if (mask == 0) return {};
  auto reply = hostcall::call<Host>([&](Host::Request& r) {
    write_path(r.path);
    r.mask = mask;
    r.mode = attr.mode;
    r.uid = attr.uid;
    r.gid = attr.gid;
    r.atime_sec = attr.atime.sec, r.atime_nsec = attr.atime.nsec;
    r.mtime_sec = attr.mtime.sec, r.mtime_nsec = attr.mtime.nsec;
  });
  if (!reply) return reply.error();
  HostStat stat = **reply;
  remember(stat);
  return {};
}

Result<String> HostInode::read_link() {
  if (type() != kSymlink) return Errno::inval;
  auto reply = hostcall::call<hostcall::ReadLink>([&](hostcall::PathArg& p) { write_path(p); });
  if (!reply) return reply.error();
  // Copied before anything else may use the frame; the length is the host's word.
  uint32_t n = (*reply)->length;
  if (n >= hostcall::kMaxPath) return Errno::nametoolong;
  return String::from({(*reply)->target, n});
}

Result<void> HostInode::prepare_write(bool) {
  if (host().exclusive()) return Errno::rofs;
  return {};
}

// ---- handles and bytes ----

Result<Ref<HostHandle>> HostInode::open_handle(bool write) {
  if (write && host().exclusive()) return Errno::rofs;
  if (Ref<HostHandle> h = kept(write)) return h;
  auto reply = hostcall::call<hostcall::OpenPath>([&](hostcall::OpenPath::Request& r) {
    write_path(r.path);
    r.flags = (write ? open_flag::rdwr : open_flag::rdonly) | (is_dir() ? open_flag::directory : 0);
    r.mode = 0;
    r.uid = r.gid = ~0u;
  });
  if (!reply) return reply.error();
  hostcall::Handle number = (*reply)->handle;
  Ref<HostHandle> handle = make_ref<HostHandle>(number, write);
  if (!handle) {
    (void)hostcall::call<hostcall::Close>([&](hostcall::HandleRequest& r) { r = {number, 0}; });
    return Errno::nomem;
  }
  if (type() == kRegular) keep(handle);
  return handle;
}

// A small file that is read again and again is shown: from then on reads leave the sentry no more.
bool HostInode::worth_showing(uint64_t offset) {
  constexpr uint64_t kSmall = 256 << 10;
  constexpr unsigned kReads = 4;
  if (offset != 0 || known_size() > kSmall) return false;
  return reads_from_start_.fetch_add(1, std::memory_order_relaxed) % kReads == kReads - 1;
}

Result<size_t> HostInode::read_range(mm::IoBuf& buf, uint64_t offset, size_t size) {
  if (!window_.shown() && worth_showing(offset)) (void)window_page(offset);  // without it the read goes on
  if (window_.shown()) {
    size_t moved = TRY(copy_shown(buf, offset, size));
    if (moved > 0) return moved;
  }
  Ref<HostHandle> handle = TRY(open_handle(false));
  size_t moved = TRY(handle->read(buf, offset, size));
  if (moved == 0 && size > 0) return Errno::io;  // the host's file is shorter than it was
  return moved;
}

// From the window, by way of a small buffer: user memory may fault while nothing is locked. 0: not shown.
Result<size_t> HostInode::copy_shown(mm::IoBuf& buf, uint64_t offset, size_t size) {
  constexpr unsigned kOrder = 2;
  constexpr size_t kRoom = mm::kPageSize << kOrder;
  mm::Page* room = TRY(mm::alloc_pages(kOrder, mm::Zero::no, mm::Use::sentry));
  size_t done = 0;
  Result<size_t> result = size_t{0};
  while (done < size) {
    size_t n = size - done < kRoom ? size - done : kRoom;
    Result<bool> got = window_.copy(mm::page_data(*room), offset + done, n);
    if (!got) result = got.error();
    if (!got || !*got) break;
    result = buf.put(mm::page_data(*room), n);
    if (!result) break;
    done += *result;
    if (*result < n) break;
  }
  mm::put_page(*room);
  if (done == 0 && !result) return result;
  return done;
}

Result<void> HostInode::read_bytes(void* to, uint64_t offset, size_t size) {
  if (window_.shown() && TRY(window_.copy(to, offset, size))) return {};
  Ref<HostHandle> handle = TRY(open_handle(false));
  if (TRY(handle->read_direct(to, offset, size)) < size) return Errno::io;
  return {};
}

Result<uint64_t> HostInode::window_page(uint64_t offset) {
  if (Result<uint64_t> shown = window_.shown_page(offset)) return shown;
  Ref<HostHandle> handle = TRY(open_handle(false));
  return window_.page(*handle, offset, known_size(), false);
}

size_t HostInode::window_pages_at_hand(uint64_t offset, size_t count, mm::MappedPage* out) {
  return window_.pages_at_hand(offset, count, false, out);
}

}  // namespace runsc::fs
