#include "kvm/monitor/services/file_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm/monitor/services/path_ops.h"

namespace runsc::monitor {

Result<HostFileRef> FileTable::get(hostcall::Handle handle) const {
  std::shared_lock lock(mutex_);
  if (handle >= files_.size() || files_[handle] == nullptr) return Errno::badf;
  return files_[handle];
}

FoundFile HostFile::found() const {
  std::scoped_lock lock(found_mutex_);
  return found_;
}

void HostFile::renamed(const FoundFile& now) {
  std::scoped_lock lock(found_mutex_);
  if (found_.file == now.file) found_ = now;
}

void FileTable::renamed(const FoundFile& now) {
  std::shared_lock lock(mutex_);
  for (const HostFileRef& file : files_)
    if (file) file->renamed(now);
}

Result<hostcall::Handle> FileTable::add(HostFileRef file) {
  std::unique_lock lock(mutex_);
  if (!unused_.empty()) {
    hostcall::Handle handle = unused_.back();
    unused_.pop_back();
    files_[handle] = std::move(file);
    return handle;
  }
  if (files_.size() >= kMostFiles) return Errno::mfile;
  files_.push_back(std::move(file));
  return static_cast<hostcall::Handle>(files_.size() - 1);
}

Result<HostFileRef> FileTable::remove(hostcall::Handle handle) {
  std::unique_lock lock(mutex_);
  if (handle >= files_.size()) return Errno::badf;
  if (files_[handle] == nullptr) {
    if (withdrawn_.erase(handle) != 0) unused_.push_back(handle);
    return Errno::badf;
  }
  HostFileRef file = std::move(files_[handle]);
  files_[handle] = nullptr;
  if (handle >= donated_) unused_.push_back(handle);
  return file;
}

void FileTable::withdraw(hostcall::Handle handle, const std::weak_ptr<HostFile>& file) {
  HostFileRef gone;  // closed without the lock
  std::unique_lock lock(mutex_);
  if (handle >= files_.size() || files_[handle] == nullptr || files_[handle] != file.lock()) return;
  gone = std::move(files_[handle]);
  files_[handle] = nullptr;
  withdrawn_.insert(handle);
  lock.unlock();
}

namespace {

bool is_terminal(const UniqueFd& fd, const struct stat& st) {
  return S_ISCHR(st.st_mode) && ::isatty(fd.get()) == 1;
}

}  // namespace

HostFileRef adopt_as_it_is(UniqueFd fd) {
  const auto known = stat_entry(fd.get(), "");
  if (!known) return nullptr;
  const struct stat& st = *known;
  const int flags = ::fcntl(fd.get(), F_GETFL);
  StreamKind kind = (flags & O_NONBLOCK) != 0 ? StreamKind::non_blocking : StreamKind::polled;
  if ((flags & O_PATH) != 0 || S_ISDIR(st.st_mode))
    kind = StreamKind::none;
  else if (S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && !is_terminal(fd, st)))
    kind = StreamKind::always_ready;
  return std::make_shared<HostFile>(std::move(fd), kind);
}

HostFileRef adopt_donated(UniqueFd fd) {
  const auto known = stat_entry(fd.get(), "");
  if (!known) return nullptr;
  const struct stat& st = *known;
  if (S_ISFIFO(st.st_mode) || is_terminal(fd, st)) {
    const int access = ::fcntl(fd.get(), F_GETFL) & O_ACCMODE;
    std::string link = fmt::format("/proc/self/fd/{}", fd.get());
    UniqueFd own(::open(link.c_str(), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (own.valid()) return std::make_shared<HostFile>(std::move(own), StreamKind::non_blocking);
  }
  return adopt_as_it_is(std::move(fd));
}

}  // namespace runsc::monitor
