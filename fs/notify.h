// Where the VFS says what happened to files, for inotify(7). Costs one load while nobody watches anything.
#pragma once

#include "fs/file.h"
#include "fs/inode.h"

namespace runsc::fs {

namespace notify_bit {  // inotify(7)
inline constexpr uint32_t access = 1, modify = 2, attrib = 4, close_write = 8, close_nowrite = 0x10,
                          open = 0x20, moved_from = 0x40, moved_to = 0x80, create = 0x100, remove = 0x200,
                          remove_self = 0x400, move_self = 0x800, unmount = 0x2000, overflow = 0x4000,
                          ignored = 0x8000, only_dir = 0x01000000, dont_follow = 0x02000000,
                          excl_unlink = 0x04000000, mask_create = 0x10000000, mask_add = 0x20000000,
                          is_dir = 0x40000000, oneshot = 0x80000000;
inline constexpr uint32_t all_events = 0xfff;
}  // namespace notify_bit

namespace notify {

// How many watches there are.
extern constinit std::atomic<uint32_t> g_watches;
inline bool anybody() { return g_watches.load(std::memory_order_relaxed) != 0; }

// The functions below are for inotify alone; others ask through the inline ones. Called with any lock of a
// rank before fs_context held; they allocate but do not sleep.
bool is_watched(const Inode& inode);
void tell_path(const Path& path, uint32_t events, bool of_file);
void tell_entry(Inode& dir, std::string_view name, uint32_t events, uint32_t cookie);
void tell_inode(Inode& inode, uint32_t events);
void tell_removed(Inode& inode, bool last_name);
void tell_ended(Inode& inode);
struct Move {
  Inode& from_dir;
  std::string_view from;
  Inode& to_dir;
  std::string_view to;
  Inode& moved;
  Inode* replaced = nullptr;
  bool last_name = false;  // of `replaced`
};
void tell_moved(const Move& move);
void tell_unmounted(SuperBlock& super);

// For file systems that change without us.
uint32_t wanted(const Inode& inode);           // the events that its watches ask for; 0: nobody watches it
void tell_lost(Inode& inode, uint32_t event);  // IN_DELETE_SELF or IN_UNMOUNT, the end of all its watches
void tell_overflow(Inode& inode);              // events were lost
uint32_t fresh_cookie();

}  // namespace notify

// Something happened to an object that was reached by its name: its directory hears it, too.
inline void notify_path(const Path& path, uint32_t events) {
  if (notify::anybody()) [[unlikely]]
    notify::tell_path(path, events, false);
}
// The same through an open file: open, read, written, closed.
inline void notify_file(const File& file, uint32_t events) {
  if (notify::anybody() && file.inode() && !(file.flags() & open_flag::path)) [[unlikely]]
    notify::tell_path(file.path(), events, true);
}
// To an object alone.
inline void notify_inode(Inode& inode, uint32_t events) {
  if (notify::anybody()) [[unlikely]]
    notify::tell_inode(inode, events);
}
// A name came into the directory.
inline void notify_created(Inode& dir, std::string_view name, bool is_dir) {
  if (notify::anybody()) [[unlikely]]
    notify::tell_entry(dir, name, notify_bit::create | (is_dir ? notify_bit::is_dir : 0), 0);
}
// A name left the directory.
inline void notify_gone(Inode& dir, std::string_view name, bool is_dir) {
  if (notify::anybody()) [[unlikely]]
    notify::tell_entry(dir, name, notify_bit::remove | (is_dir ? notify_bit::is_dir : 0), 0);
}
// The last reference to a name that was removed is gone: the object's end, if it has no other name.
inline void notify_ended(Inode& inode) {
  if (notify::anybody()) [[unlikely]]
    notify::tell_ended(inode);
}
// An object lost a name: by unlink(2), rmdir(2), or because another one took its place.
inline void notify_removed(Inode& inode, bool last_name) {
  if (notify::anybody()) [[unlikely]]
    notify::tell_removed(inode, last_name);
}
inline void notify_moved(const notify::Move& move) {
  if (notify::anybody()) [[unlikely]]
    notify::tell_moved(move);
}

}  // namespace runsc::fs
