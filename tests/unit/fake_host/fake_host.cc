#include "tests/unit/fake_host/fake_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "kvm/arch/seam.h"
#include "kvm/hostcall/calls.h"
#include "kvm/hostcall/sync_kind.h"
#include "tests/unit/fake_arch/fake_arch.h"

namespace runsc::fake_host {
namespace {

using namespace hostcall;

struct OpenFile {
  int fd;
  std::string path;
  bool donated;
};
std::mutex g_mutex;
std::map<Handle, OpenFile> g_files;
Handle g_next = 0;
uint64_t g_calls = 0, g_window_next = 0, g_synced = 0, g_changes = 0;

std::string path_of(const PathArg& p) {
  std::string base = g_files.at(p.root).path;
  if (p.length == 0) return base;
  return base + "/" + std::string(p.bytes, p.length);
}

HostStat to_host(const struct stat& s) {
  HostStat h{};
  h.dev = s.st_dev, h.ino = s.st_ino, h.mode = s.st_mode, h.nlink = static_cast<uint32_t>(s.st_nlink);
  h.uid = s.st_uid, h.gid = s.st_gid, h.rdev = s.st_rdev, h.size = static_cast<uint64_t>(s.st_size);
  h.blocks = static_cast<uint64_t>(s.st_blocks), h.block_size = static_cast<uint32_t>(s.st_blksize);
  h.atime_sec = s.st_atim.tv_sec, h.mtime_sec = s.st_mtim.tv_sec, h.ctime_sec = s.st_ctim.tv_sec;
  h.atime_nsec = static_cast<uint32_t>(s.st_atim.tv_nsec),
  h.mtime_nsec = static_cast<uint32_t>(s.st_mtim.tv_nsec);
  h.ctime_nsec = static_cast<uint32_t>(s.st_ctim.tv_nsec);
  return h;
}

int stat_reply(const std::string& path, HostStat& out) {
  struct stat s;
  if (lstat(path.c_str(), &s) != 0) return errno;
  out = to_host(s);
  return 0;
}

int serve_open(const OpenPath::Request& r, OpenPath::Reply& out) {
  std::string path = path_of(r.path);
  int fd = open(path.c_str(), static_cast<int>(r.flags) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, r.mode);
  if (fd < 0) return errno;
  struct stat s;
  fstat(fd, &s);
  out.handle = g_next++;
  out.stat = to_host(s);
  g_files[out.handle] = {fd, path, false};
  return 0;
}

template <class F>
int serve_io(const ReadWriteRequest& r, SizeReply& out, F&& io) {
  uint64_t done = 0;
  for (uint32_t i = 0; i < r.ranges.count; ++i) {
    ssize_t n = io(g_files.at(r.handle).fd, arch::phys_to_virt(r.ranges.at[i].phys), r.ranges.at[i].size,
                   static_cast<off_t>(r.offset + done));
    if (n < 0) return errno;
    done += static_cast<uint64_t>(n);
    if (static_cast<uint64_t>(n) < r.ranges.at[i].size) break;
  }
  out.size = done;
  return 0;
}

int serve_read_dir(const ReadDir::Request& r, ReadDir::Reply& out) {
  DIR* dir = opendir(g_files.at(r.handle).path.c_str());
  if (!dir) return errno;
  std::vector<dirent> all;
  while (dirent* e = readdir(dir))
    if (std::strcmp(e->d_name, ".") != 0 && std::strcmp(e->d_name, "..") != 0) all.push_back(*e);
  closedir(dir);
  auto* to = static_cast<std::byte*>(arch::phys_to_virt(r.buffer.phys));
  out.size = 0;
  for (size_t i = r.offset; i < all.size(); ++i) {
    size_t length = std::strlen(all[i].d_name), size = (sizeof(DirEntry) + length + 8) & ~size_t{7};
    if (out.size + size > r.buffer.size) break;
    DirEntry e{};
    e.next_offset = i + 1;
    e.record_size = static_cast<uint32_t>(size);
    e.name_length = static_cast<uint16_t>(length);
    e.type = all[i].d_type;
    e.ino = all[i].d_ino;
    if (r.with_stat) e.has_stat = stat_reply(g_files.at(r.handle).path + "/" + all[i].d_name, e.stat) == 0;
    std::memcpy(to + out.size, &e, sizeof e);
    std::memcpy(to + out.size + sizeof e, all[i].d_name, length + 1);
    out.size += size;
  }
  return 0;
}

int serve_map(const MapWindow::Request& r, MapWindow::Reply& out) {
  uint64_t phys = kWindowBase + g_window_next;
  void* at = mmap(arch::phys_to_virt(phys), r.size, PROT_READ | (r.writable ? PROT_WRITE : 0),
                  MAP_SHARED | MAP_FIXED, g_files.at(r.handle).fd, static_cast<off_t>(r.offset));
  if (at == MAP_FAILED) return errno;
  g_window_next += r.size;
  out.phys = phys;
  return 0;
}

int serve_make_node(const MakeNode::Request& r, HostStat& out) {
  std::string path = path_of(r.path);
  int result;
  if (S_ISDIR(r.mode))
    result = mkdir(path.c_str(), r.mode & 07777);
  else if (S_ISLNK(r.mode))
    result = symlink(std::string(r.target, r.target_length).c_str(), path.c_str());
  else
    result = mknod(path.c_str(), r.mode, 0);
  if (result != 0) return errno;
  return stat_reply(path, out);
}

int serve_set_attr(const hostcall::SetAttr::Request& r, HostStat& out) {
  using Mask = hostcall::SetAttr;
  std::string path = path_of(r.path);
  if ((r.mask & Mask::kMode) && chmod(path.c_str(), r.mode) != 0) return errno;
  if ((r.mask & (Mask::kUid | Mask::kGid)) &&
      lchown(path.c_str(), r.mask & Mask::kUid ? r.uid : ~0u, r.mask & Mask::kGid ? r.gid : ~0u) != 0)
    return errno;
  timespec t[2] = {{r.atime_sec, r.atime_nsec}, {r.mtime_sec, r.mtime_nsec}};
  if (!(r.mask & Mask::kAtime)) t[0].tv_nsec = r.mask & Mask::kAtimeNow ? UTIME_NOW : UTIME_OMIT;
  if (!(r.mask & Mask::kMtime)) t[1].tv_nsec = r.mask & Mask::kMtimeNow ? UTIME_NOW : UTIME_OMIT;
  if (utimensat(AT_FDCWD, path.c_str(), t, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  return stat_reply(path, out);
}

template <class Call, class F>
void serve(Frame& frame, F&& f) {
  typename Call::Request request;
  std::memcpy(&request, frame.body, sizeof request);
  typename Call::Reply reply{};
  frame.error = f(request, reply);
  std::memcpy(frame.body, &reply, sizeof reply);
}

int result_of(int r) { return r < 0 ? errno : 0; }

bool serve_names(Frame& frame) {
  switch (static_cast<Number>(frame.number)) {
    case Number::stat_path:
      serve<StatPath>(frame, [](auto& r, auto& out) { return stat_reply(path_of(r), out); });
      return true;
    case Number::open_path:
      serve<OpenPath>(frame, serve_open);
      return true;
    case Number::read_link:
      serve<ReadLink>(frame, [](auto& r, auto& out) {
        ssize_t n = readlink(path_of(r).c_str(), out.target, sizeof out.target);
        if (n < 0) return errno;
        out.length = static_cast<uint32_t>(n);
        return 0;
      });
      return true;
    case Number::set_attr:
      serve<hostcall::SetAttr>(frame, serve_set_attr);
      return true;
    case Number::make_node:
      serve<MakeNode>(frame, serve_make_node);
      return true;
    case Number::make_link:
      serve<MakeLink>(frame, [](auto& r, auto& out) {
        if (link(path_of(r.from).c_str(), path_of(r.to).c_str()) != 0) return errno;
        return stat_reply(path_of(r.to), out);
      });
      return true;
    case Number::unlink:
      serve<Unlink>(frame, [](auto& r, auto&) {
        return result_of(r.directory ? rmdir(path_of(r.path).c_str()) : unlink(path_of(r.path).c_str()));
      });
      return true;
    case Number::rename:
      serve<Rename>(frame, [](auto& r, auto&) {
        return result_of(
            renameat2(AT_FDCWD, path_of(r.from).c_str(), AT_FDCWD, path_of(r.to).c_str(), r.flags));
      });
      return true;
    default:
      return false;
  }
}

bool serve_handles(Frame& frame) {
  switch (static_cast<Number>(frame.number)) {
    case Number::close:
      serve<Close>(frame, [](auto& r, auto&) {
        close(g_files.at(r.handle).fd);
        g_files.erase(r.handle);
        return 0;
      });
      return true;
    case Number::stat:
      serve<Stat>(frame, [](auto& r, auto& out) {
        struct stat s;
        if (fstat(g_files.at(r.handle).fd, &s) != 0) return errno;
        out = to_host(s);
        return 0;
      });
      return true;
    case Number::read_dir:
      serve<ReadDir>(frame, serve_read_dir);
      return true;
    case Number::read:
      serve<Read>(frame, [](auto& r, auto& out) { return serve_io(r, out, pread); });
      return true;
    case Number::write:
      serve<Write>(frame, [](auto& r, auto& out) { return serve_io(r, out, pwrite); });
      return true;
    case Number::map_window:
      serve<MapWindow>(frame, serve_map);
      return true;
    case Number::unmap_window:
      serve<UnmapWindow>(frame, [](auto& r, auto&) {
        mmap(arch::phys_to_virt(r.phys), r.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        return 0;
      });
      return true;
    case Number::truncate:
      serve<Truncate>(frame, [](auto& r, auto&) {
        return result_of(ftruncate(g_files.at(r.handle).fd, static_cast<off_t>(r.size)));
      });
      return true;
    case Number::sync:
      serve<Sync>(frame, [](auto& r, auto&) {
        g_synced += static_cast<SyncKind>(r.argument) == SyncKind::file_system;
        return g_files.contains(r.handle) ? 0 : EBADF;
      });
      return true;
    default:
      return false;
  }
}

bool serve_watches(Frame& frame) {
  switch (static_cast<Number>(frame.number)) {
    case Number::watch:
    case Number::unwatch:
      frame.error = 0;
      return true;
    case Number::take_changes:
      serve<TakeChanges>(frame, [](auto&, auto& out) {
        if (g_changes > 0) --g_changes;
        out.more = g_changes > 0;
        return 0;
      });
      return true;
    default:
      return false;
  }
}

bool serve_frame(Frame& frame) {
  std::lock_guard lock(g_mutex);
  ++g_calls;
  return serve_names(frame) || serve_handles(frame) || serve_watches(frame);
}

}  // namespace

void start() {
  std::lock_guard lock(g_mutex);
  g_next = 0;
  g_calls = g_window_next = 0;
  arch::fake::set_host(serve_frame);
}

Handle donate(const std::string& path) {
  std::lock_guard lock(g_mutex);
  Handle h = g_next++;
  g_files[h] = {open(path.c_str(), O_PATH | O_CLOEXEC), path, true};
  return h;
}

size_t stop() {
  std::lock_guard lock(g_mutex);
  size_t left = 0;
  for (auto& [handle, file] : g_files) {
    close(file.fd);
    if (!file.donated) ++left;
  }
  g_files.clear();
  return left;
}

void put_changes(uint64_t replies) { g_changes = replies; }
uint64_t changes_left() { return g_changes; }

uint64_t synced_file_systems() { return g_synced; }

uint64_t calls() {
  std::lock_guard lock(g_mutex);
  return g_calls;
}

}  // namespace runsc::fake_host
