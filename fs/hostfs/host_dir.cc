// Directories of hostfs: listing, and changes of shared ones.
#include <algorithm>

#include "fs/hostfs/hostfs.h"

namespace runsc::fs {

namespace {

constexpr unsigned kListOrder = 4;  // 64 KiB of names at a time

// One record of ReadDir, out of memory that the host has written.
Result<size_t> add_record(HostSuper& host, std::span<const std::byte> bytes, uint64_t& next,
                          HostListing& out) {
  hostcall::DirEntry e;
  if (bytes.size() < sizeof e) return Errno::io;
  __builtin_memcpy(&e, bytes.data(), sizeof e);
  if (e.record_size < sizeof e + e.name_length || e.record_size > bytes.size() || e.name_length == 0 ||
      e.name_length > 255)
    return Errno::io;
  HostListing::Entry entry;
  entry.name = TRY(String::from({reinterpret_cast<const char*>(bytes.data() + sizeof e), e.name_length}));
  entry.has_stat = e.has_stat != 0;
  entry.stat = e.stat;
  entry.ino = entry.has_stat ? host.map_ino(e.stat) : e.ino;
  entry.type = e.type;
  next = e.next_offset;
  TRY(out.entries.push_back(std::move(entry)));
  return size_t{e.record_size};
}

Result<void> read_all(HostSuper& host, const HostHandle& handle, mm::Page& room, HostListing& out) {
  uint64_t offset = 0;
  for (;;) {
    auto reply = hostcall::call<hostcall::ReadDir>([&](hostcall::ReadDir::Request& r) {
      r.handle = handle.number();
      r.with_stat = host.exclusive();
      r.offset = offset;
      r.buffer = {mm::page_phys(room), mm::kPageSize << kListOrder};
    });
    if (!reply) return reply.error();
    uint64_t size = (*reply)->size;
    if (size == 0) return {};
    if (size > mm::kPageSize << kListOrder) return Errno::io;
    std::span<const std::byte> bytes(static_cast<const std::byte*>(mm::page_data(room)), size);
    while (!bytes.empty()) bytes = bytes.subspan(TRY(add_record(host, bytes, offset, out)));
  }
}

}  // namespace

Result<void> HostListing::sort() {
  TRY(by_name.reserve(entries.size()));
  for (uint32_t i = 0; i < entries.size(); ++i) TRY(by_name.push_back(i));
  std::sort(by_name.begin(), by_name.end(),
            [this](uint32_t a, uint32_t b) { return entries[a].name.view() < entries[b].name.view(); });
  return {};
}

const HostListing::Entry* HostListing::find(std::string_view name) const {
  auto it = std::lower_bound(by_name.begin(), by_name.end(), name,
                             [this](uint32_t i, std::string_view n) { return entries[i].name.view() < n; });
  if (it == by_name.end() || entries[*it].name.view() != name) return nullptr;
  return &entries[*it];
}

Ref<HostListing> HostInode::known_listing() {
  LockGuard guard(listing_lock_);
  return listing_;
}

Result<Ref<HostListing>> HostInode::listing() {
  if (host().exclusive())
    if (Ref<HostListing> known = known_listing()) return known;
  Ref<HostHandle> handle = TRY(open_handle(false));
  Ref<HostListing> fresh = make_ref<HostListing>();
  if (!fresh) return Errno::nomem;
  mm::Page* room = TRY(mm::alloc_pages(kListOrder, mm::Zero::no, mm::Use::sentry));
  Result<void> done = read_all(host(), *handle, *room, *fresh);
  mm::put_page(*room);
  if (!done) return done.error();
  if (host().exclusive()) {
    TRY(fresh->sort());
    LockGuard guard(listing_lock_);
    listing_ = fresh;
  }
  return fresh;
}

// ---- changes ----

Result<Ref<Inode>> HostInode::make_host_node(std::string_view name, uint32_t mode, const NewNode& node,
                                             std::string_view target) {
  if (host().exclusive()) return Errno::rofs;
  if (target.size() >= hostcall::kMaxPath) return Errno::nametoolong;
  auto reply = hostcall::call<hostcall::MakeNode>([&](hostcall::MakeNode::Request& r) {
    write_path(r.path, name);
    r.mode = mode;
    r.uid = node.uid;
    r.gid = node.gid;
    r.target_length = static_cast<uint32_t>(target.size());
    if (!target.empty()) __builtin_memcpy(r.target, target.data(), target.size());
  });
  if (!reply) return reply.error();
  hostcall::HostStat stat = **reply;
  Ref<HostInode> made = TRY(adopt_child(name, stat));
  if (made->type() == kFifo) host().note_fifo(stat.ino);
  return Ref<Inode>(std::move(made));
}

Result<Ref<Inode>> HostInode::create(std::string_view name, const NewNode& node) {
  uint32_t type = node.mode & kTypeMask;
  if (type == kCharDev || type == kBlockDev) return Errno::perm;
  return make_host_node(name, node.mode, node, {});
}

Result<Ref<Inode>> HostInode::make_dir(std::string_view name, const NewNode& node) {
  return make_host_node(name, node.mode, node, {});
}

Result<Ref<Inode>> HostInode::symlink(std::string_view name, std::string_view target, const NewNode& node) {
  return make_host_node(name, node.mode, node, target);
}

Result<void> HostInode::link(std::string_view name, Inode& target) {
  if (host().exclusive()) return Errno::rofs;
  auto reply = hostcall::call<hostcall::MakeLink>([&](hostcall::TwoPaths& r) {
    static_cast<HostInode&>(target).write_path(r.from);
    write_path(r.to, name);
    r.flags = 0;
  });
  if (!reply) return reply.error();
  return {};
}

Result<void> HostInode::unlink(std::string_view name, Inode& child) {
  if (host().exclusive()) return Errno::rofs;
  // Open files and mappings go on through a handle.
  auto& node = static_cast<HostInode&>(child);
  if (node.type() == kRegular && node.ref_count() > 2) (void)node.open_handle(false);
  auto reply = hostcall::call<hostcall::Unlink>([&](hostcall::Unlink::Request& r) {
    write_path(r.path, name);
    r.directory = 0;
  });
  if (!reply) return reply.error();
  if (Result<Attr> attr = node.cached_attr(); node.type() == kFifo && attr && attr->nlink <= 1)
    host().forget_fifo(attr->ino);
  return {};
}

Result<void> HostInode::remove_dir(std::string_view name, Inode&) {
  if (host().exclusive()) return Errno::rofs;
  auto reply = hostcall::call<hostcall::Unlink>([&](hostcall::Unlink::Request& r) {
    write_path(r.path, name);
    r.directory = 1;
  });
  if (!reply) return reply.error();
  return {};
}

Result<void> HostInode::rename(std::string_view name, Inode& child, Inode& new_dir, std::string_view new_name,
                               Inode* replaced, uint32_t flags) {
  if (host().exclusive()) return Errno::rofs;
  if (&new_dir.super() != &super()) return Errno::xdev;
  auto& node = static_cast<HostInode&>(child);
  auto& to = static_cast<HostInode&>(new_dir);
  String node_name = TRY(String::from(new_name)), other_name = TRY(String::from(name));
  auto reply = hostcall::call<hostcall::Rename>([&](hostcall::TwoPaths& r) {
    write_path(r.from, name);
    to.write_path(r.to, new_name);
    r.flags = flags;
  });
  if (!reply) return reply.error();
  // The known inodes move along: their paths are made from their names.
  Ref<HostInode> node_parent(to), other_parent(*this);
  LockGuard guard(host().tree_lock());
  auto take = [](HostInode& i) {
    if (i.child_hook_.is_linked()) i.parent_->children_.erase(i.parent_->children_.iterator_to(i));
  };
  auto place = [](HostInode& i, Ref<HostInode>& parent, String& n) {
    std::swap(i.parent_, parent);
    std::swap(i.name_, n);
    auto it = i.parent_->children_.find(i.name_.view());
    if (it != i.parent_->children_.end()) i.parent_->children_.erase(it);
    i.parent_->children_.insert(i);
  };
  take(node);
  auto* other = static_cast<HostInode*>(replaced);
  if (other) take(*other);
  place(node, node_parent, node_name);
  constexpr uint32_t kExchange = 2;
  if (other && (flags & kExchange)) place(*other, other_parent, other_name);
  return {};
}

// ---- extended attributes ----

Result<size_t> HostInode::get_xattr(std::string_view name, std::span<std::byte> out) {
  if (name.size() >= sizeof(hostcall::XattrRequest::name)) return Errno::range;
  auto reply = hostcall::call<hostcall::GetXattr>([&](hostcall::XattrRequest& r) {
    write_path(r.path);
    r.name_length = static_cast<uint32_t>(name.size());
    r.value_length = 0;
    r.flags = 0;
    __builtin_memcpy(r.name, name.data(), name.size());
  });
  if (!reply) return reply.error();
  uint32_t n = (*reply)->size;
  if (n > sizeof(hostcall::XattrReply::value)) return Errno::io;
  if (out.empty()) return size_t{n};
  if (n > out.size()) return Errno::range;
  __builtin_memcpy(out.data(), (*reply)->value, n);
  return size_t{n};
}

Result<void> HostInode::set_xattr(std::string_view name, std::span<const std::byte> value, int flags) {
  if (host().exclusive()) return Errno::rofs;
  if (name.size() >= sizeof(hostcall::XattrRequest::name)) return Errno::range;
  if (value.size() > sizeof(hostcall::XattrRequest::value)) return Errno::nospc;
  auto reply = hostcall::call<hostcall::SetXattr>([&](hostcall::XattrRequest& r) {
    write_path(r.path);
    r.name_length = static_cast<uint32_t>(name.size());
    r.value_length = static_cast<uint32_t>(value.size());
    r.flags = static_cast<uint32_t>(flags);
    __builtin_memcpy(r.name, name.data(), name.size());
    if (!value.empty()) __builtin_memcpy(r.value, value.data(), value.size());
  });
  if (!reply) return reply.error();
  return {};
}

Result<void> HostInode::remove_xattr(std::string_view name) {
  if (host().exclusive()) return Errno::rofs;
  if (name.size() >= sizeof(hostcall::XattrRequest::name)) return Errno::range;
  auto reply = hostcall::call<hostcall::SetXattr>([&](hostcall::XattrRequest& r) {
    write_path(r.path);
    r.name_length = static_cast<uint32_t>(name.size());
    r.value_length = ~0u;
    r.flags = 0;
    __builtin_memcpy(r.name, name.data(), name.size());
  });
  if (!reply) return reply.error();
  return {};
}

Result<size_t> HostInode::list_xattr(std::span<char> out) {
  auto reply = hostcall::call<hostcall::ListXattr>([&](hostcall::PathArg& p) { write_path(p); });
  if (!reply) return reply.error();
  uint32_t n = (*reply)->size;
  if (n > sizeof(hostcall::XattrReply::value)) return Errno::io;
  if (out.empty()) return size_t{n};
  if (n > out.size()) return Errno::range;
  __builtin_memcpy(out.data(), (*reply)->value, n);
  return size_t{n};
}

}  // namespace runsc::fs
