#include "kernel/syscalls/file_args.h"

#include "fs/user_namespace.h"
#include "kernel/signal/send.h"

namespace runsc::kernel {

Result<Ref<fs::File>> any_file_of(Task& task, int fd) { return task.files().get(fd); }

Result<Ref<fs::File>> file_of(Task& task, int fd) {
  Ref<fs::File> file = TRY(task.files().get(fd));
  if (file->flags() & fs::open_flag::path) return Errno::badf;
  return file;
}

Result<String> path_argument(Task& task, uint64_t address) {
  return mm::copy_in_string(task.mm(), address, 4096);
}

Result<fs::Path> start_of(Task& task, int dirfd, std::string_view path) {
  if (!path.empty() && path[0] == '/') return task.fs().root();
  if (dirfd == abi::at::fdcwd) return task.fs().cwd();
  Ref<fs::File> file = TRY(any_file_of(task, dirfd));
  if (!file->path()) return Errno::notdir;
  return file->path();
}

Result<fs::Path> lookup_argument(Task& task, int dirfd, uint64_t path, uint32_t at_flags) {
  String text = TRY(path_argument(task, path));
  fs::Path start = TRY(start_of(task, dirfd, text.view()));
  uint32_t flags = at_flags & abi::at::symlink_nofollow ? 0 : fs::kFollow;
  if (at_flags & abi::at::empty_path) flags |= fs::kEmptyPath;
  return fs::walk(task.walk_context(), start, text.view(), flags);
}

Result<void> IovecArgument::read(Task& task, uint64_t address, uint64_t count) {
  constexpr uint64_t kMaxCount = 1024;
  if (count > kMaxCount) return Errno::inval;
  if (count > kLocal) TRY(heap_.resize(count));
  static_assert(sizeof(abi::Iovec) == sizeof(mm::IoSegment));
  count_ = count;
  if (count == 0) return {};
  TRY(mm::copy_in_bytes(task.mm(), at(0), address, count * sizeof(mm::IoSegment)));
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    uint64_t n = at(i)->size;
    if (n > uint64_t{0x7fffffffffffffff} - sum) return Errno::inval;
    sum += n;
  }
  total_ = sum;
  limit(kMaxTransfer);
  return {};
}

void IovecArgument::limit(uint64_t size) {
  if (total_ <= size) return;
  total_ = size;
  for (size_t i = 0; i < count_; ++i) {
    if (at(i)->size > size) at(i)->size = size;
    size -= at(i)->size;
  }
}

void signal_self(Task& task, int signal) {
  abi::SigInfo info;
  info.signo = signal;
  info.code = abi::sig_code::user;
  info.rt.pid = task.own_pid();
  info.rt.uid = fs::shown_uid(task.creds(), task.creds().uid);
  send_signal_to_task(task, info);
}

}  // namespace runsc::kernel
