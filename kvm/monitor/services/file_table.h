// The host files of a sandbox: donated ones first, in their order, then those opened beneath them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kvm/hostcall/frame.h"
#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

// How a donated descriptor moves bytes without ever blocking the CPU that asks.
enum class StreamKind : std::uint8_t {
  none,          // not a stream: a file or directory, by offset
  always_ready,  // regular file or /dev/null as stdio: the shared file offset, never blocks
  non_blocking,  // its open file description is ours alone and has O_NONBLOCK
  polled,        // shared with others: asked for readiness first, small writes only
};

struct FileId {
  dev_t dev = 0;
  ino_t ino = 0;
  bool operator==(const FileId&) const = default;
};
// Which file, and where it was found beneath a donated directory.
struct FoundFile {
  FileId directory, file;
  std::string name;
};

struct HostFile {
  HostFile(UniqueFd f, StreamKind k, FoundFile found = {})
      : fd(std::move(f)), stream(k), found_(std::move(found)) {}
  const UniqueFd fd;
  const StreamKind stream;
  std::mutex position;  // held over lseek + getdents64

  FoundFile found() const;
  // If it is this file, it is found there now.
  void renamed(const FoundFile& now);

 private:
  mutable std::mutex found_mutex_;
  FoundFile found_;  // guarded by found_mutex_
};
using HostFileRef = std::shared_ptr<HostFile>;

// Files that are mapped for writing, by where: the last close of a file may be the end of its mapping.
// Thread-safe.
class WrittenMaps {
 public:
  void add(std::uint64_t phys, HostFileRef file) {
    std::scoped_lock lock(mutex_);
    files_[phys] = std::move(file);
  }
  // Null: nothing is mapped for writing there.
  HostFileRef remove(std::uint64_t phys) {
    std::scoped_lock lock(mutex_);
    auto node = files_.extract(phys);
    return node.empty() ? nullptr : std::move(node.mapped());
  }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, HostFileRef> files_;  // guarded by mutex_
};

// Thread-safe. A file that is closed while another CPU uses it lives until that use ends.
class FileTable {
 public:
  explicit FileTable(std::vector<HostFileRef> donated)
      : donated_(donated.size()), files_(std::move(donated)) {}

  // EBADF.
  Result<HostFileRef> get(hostcall::Handle handle) const;
  // EMFILE at kMostFiles.
  Result<hostcall::Handle> add(HostFileRef file);
  void renamed(const FoundFile& now);
  // EBADF. Numbers of donated files are not used again.
  Result<HostFileRef> remove(hostcall::Handle handle);

  // Takes it out if it is still that file. The number is used again once who had it has closed it.
  void withdraw(hostcall::Handle handle, const std::weak_ptr<HostFile>& file);

  WrittenMaps written_maps;

  static constexpr std::size_t kMostFiles = 1 << 20;

 private:
  const std::size_t donated_;
  mutable std::shared_mutex mutex_;
  std::vector<HostFileRef> files_;        // guarded by mutex_
  std::vector<hostcall::Handle> unused_;  // guarded by mutex_
  std::set<hostcall::Handle> withdrawn_;  // guarded by mutex_
};

// Takes over a donated descriptor. Pipes and terminals are opened anew without blocking where that is
// allowed, so that the flags of a description shared with other processes stay as they are. Before the jail:
// it looks into /proc/self/fd.
HostFileRef adopt_donated(UniqueFd fd);
// The same in the jail, for what a command of runsc hands over: it has opened what can be opened anew.
HostFileRef adopt_as_it_is(UniqueFd fd);

}  // namespace runsc::monitor
