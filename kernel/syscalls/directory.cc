// getdents(2), working directory and root.
#include "fs/notify.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

namespace {

// Entries as the application wants them, gathered in sentry memory and copied out at the end.
class EntryBuffer : public fs::DirSink {
 public:
  static constexpr size_t kRoom = 32768;
  explicit EntryBuffer(size_t wanted) : limit_(wanted < kRoom ? wanted : kRoom) {}
  Result<void> prepare() {
    bytes_ = static_cast<std::byte*>(kalloc(kRoom));
    if (!bytes_) return Errno::nomem;
    return {};
  }
  const std::byte* data() const { return bytes_; }
  size_t size() const { return size_; }
  bool refused() const { return refused_; }

 protected:
  ~EntryBuffer() { kfree(bytes_, kRoom); }
  // Room for a record, zeroed; null: full.
  std::byte* take(size_t size) {
    if (size > limit_ - size_) {
      refused_ = true;
      return nullptr;
    }
    std::byte* at = bytes_ + size_;
    __builtin_memset(at, 0, size);
    size_ += size;
    return at;
  }

 private:
  const size_t limit_;
  std::byte* bytes_ = nullptr;
  size_t size_ = 0;
  bool refused_ = false;
};

template <class T>
void store(std::byte* at, T value) {
  __builtin_memcpy(at, &value, sizeof value);
}

// struct linux_dirent64: ino, off, reclen, type, name.
class Entries64 final : public EntryBuffer {
 public:
  using EntryBuffer::EntryBuffer;
  bool add(std::string_view name, uint64_t ino, uint8_t type, uint64_t next_offset) override {
    constexpr size_t kHead = 19;
    size_t size = (kHead + name.size() + 1 + 7) & ~size_t{7};
    std::byte* at = take(size);
    if (!at) return false;
    store(at, ino);
    store(at + 8, next_offset);
    store(at + 16, static_cast<uint16_t>(size));
    store(at + 18, type);
    __builtin_memcpy(at + kHead, name.data(), name.size());
    return true;
  }
};

// struct linux_dirent: ino, off, reclen, name, and the type in the last byte.
class EntriesOld final : public EntryBuffer {
 public:
  using EntryBuffer::EntryBuffer;
  bool add(std::string_view name, uint64_t ino, uint8_t type, uint64_t next_offset) override {
    constexpr size_t kHead = 18;
    size_t size = (kHead + name.size() + 2 + 7) & ~size_t{7};
    std::byte* at = take(size);
    if (!at) return false;
    store(at, ino);
    store(at + 8, next_offset);
    store(at + 16, static_cast<uint16_t>(size));
    __builtin_memcpy(at + kHead, name.data(), name.size());
    store(at + size - 1, type);
    return true;
  }
};

template <class Entries>
Result<size_t> get_entries(Task& task, int fd, uint64_t out, uint32_t size) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (!file->inode() || !file->inode()->is_dir()) return Errno::notdir;
  Entries entries(size);
  TRY(entries.prepare());
  LockGuard guard(file->position_lock);
  if (file->path() && file->path().dentry->removed()) return Errno::noent;
  uint64_t next = TRY(file->read_dir(entries, file->position));
  fs::notify_file(*file, fs::notify_bit::access);
  if (entries.size() == 0) {
    if (entries.refused()) return Errno::inval;
    file->position = next;
    return size_t{0};
  }
  TRY(mm::copy_out_bytes(task.mm(), out, entries.data(), entries.size()));
  file->position = next;
  return entries.size();
}

}  // namespace

Result<size_t> sys_getdents64(Task& task, int fd, uint64_t out, uint32_t size) {
  return get_entries<Entries64>(task, fd, out, size);
}

Result<size_t> sys_getdents(Task& task, int fd, uint64_t out, uint32_t size) {
  return get_entries<EntriesOld>(task, fd, out, size);
}

Result<size_t> sys_getcwd(Task& task, uint64_t out, uint64_t size) {
  fs::Path cwd = task.fs().cwd();
  if (cwd.dentry->removed()) return Errno::noent;
  String name = TRY(fs::path_name(cwd, task.fs().root()));
  if (name.size() + 1 > size) return Errno::range;
  TRY(mm::copy_out_bytes(task.mm(), out, name.c_str(), name.size() + 1));
  return name.size() + 1;
}

Result<void> sys_chdir(Task& task, uint64_t path) {
  String text = TRY(path_argument(task, path));
  fs::Path start = TRY(start_of(task, abi::at::fdcwd, text.view()));
  fs::Path at = TRY(fs::walk(task.walk_context(), start, text.view(), fs::kFollow | fs::kDirectoryOnly));
  TRY(fs::check_access(task.creds(), at, fs::kExec));
  task.fs().set_cwd(std::move(at));
  return {};
}

Result<void> sys_fchdir(Task& task, int fd) {
  Ref<fs::File> file = TRY(any_file_of(task, fd));
  if (!file->path() || !file->inode() || !file->inode()->is_dir()) return Errno::notdir;
  TRY(fs::check_access(task.creds(), file->path(), fs::kExec));
  task.fs().set_cwd(file->path());
  return {};
}

Result<void> sys_chroot(Task& task, uint64_t path) {
  String text = TRY(path_argument(task, path));
  fs::Path start = TRY(start_of(task, abi::at::fdcwd, text.view()));
  fs::Path at = TRY(fs::walk(task.walk_context(), start, text.view(), fs::kFollow | fs::kDirectoryOnly));
  TRY(fs::check_access(task.creds(), at, fs::kExec));
  if (!task.creds().has_own(fs::Cap::sys_chroot)) return Errno::perm;
  task.fs().set_root(std::move(at));
  return {};
}

Result<uint32_t> sys_umask(Task& task, uint32_t mask) { return task.fs().set_umask(mask); }

}  // namespace runsc::kernel
