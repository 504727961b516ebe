#include "kernel/dnotify.h"

#include "fs/file_lock.h"
#include "fs/inotify/inotify.h"
#include "kernel/async_io.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kAccess = 1, kModify = 2, kCreate = 4, kDelete = 8, kRename = 16, kAttrib = 32,
                   kMultishot = 0x80000000;

// What one process has asked for at one open directory.
struct Registration : HeapObject {
  Registration* next = nullptr;
  const fs::FdTable* table = nullptr;
  const fs::File* file = nullptr;
  Ref<fs::Inotify> inotify;
  uint32_t events = 0;
};
constinit SpinLock g_lock{LockRank::leaf};
constinit Registration* g_first GUARDED_BY(g_lock) = nullptr;

// Out of the list; null: there is none.
Unique<Registration> take(const fs::FdTable& table, const fs::File& file) {
  LockGuard guard(g_lock);
  for (Registration** at = &g_first; *at; at = &(*at)->next) {
    if ((*at)->table != &table || (*at)->file != &file) continue;
    return Unique<Registration>(std::exchange(*at, (*at)->next));
  }
  return {};
}

void put(Unique<Registration> r) {
  LockGuard guard(g_lock);
  r->next = g_first;
  g_first = r.release();
}

// Any close of the directory by the process ends it.
void directory_closed(const fs::FdTable& table, const fs::File& file) { take(table, file); }

uint32_t mask_of(uint32_t events) {
  using namespace fs::notify_bit;
  uint32_t mask = fs::notify_bit::only_dir;
  if (events & kAccess) mask |= access;
  if (events & kModify) mask |= modify;
  if (events & kCreate) mask |= create | moved_to;
  if (events & kDelete) mask |= remove | moved_from;
  if (events & kRename) mask |= moved_from;
  if (events & kAttrib) mask |= attrib;
  if (!(events & kMultishot)) mask |= oneshot;
  return mask;
}

}  // namespace

Result<void> set_dnotify(Task& task, fs::File& file, int fd, uint64_t asked) {
  if (!file.inode() || !file.inode()->is_dir()) return Errno::notdir;
  auto events = static_cast<uint32_t>(asked);
  Unique<Registration> old = take(task.files(), file);
  if (!(events & ~kMultishot)) return {};
  if (old && old->inotify->watching()) events |= old->events;
  FileOwner owner = file_owner(file);
  if (owner.id == 0) {
    TRY(set_file_owner(task, file, OwnerType::process, task.pid()));
    owner = file_owner(file);
  }
  Unique<Registration> fresh = make<Registration>();
  if (!fresh) return Errno::nomem;
  fresh->table = &task.files();
  fresh->file = &file;
  fresh->events = events;
  fresh->inotify = TRY(fs::Inotify::create_silent());
  fresh->inotify->owner_signal.store(file.owner_signal.load(std::memory_order_relaxed),
                                     std::memory_order_relaxed);
  TRY(set_file_owner(task, *fresh->inotify, owner.type, owner.id));
  TRY(set_async(task, *fresh->inotify, fd, true));
  TRY(fresh->inotify->add(*file.inode(), mask_of(events)));
  fs::set_directory_close_hook(directory_closed);
  put(std::move(fresh));
  return {};
}

}  // namespace runsc::kernel
