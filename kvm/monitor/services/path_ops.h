// Names beneath a donated directory, never out of it and never through a symbolic link, whatever happens to
// the directory on the host meanwhile: openat2(2) with RESOLVE_BENEATH, NO_SYMLINKS and NO_MAGICLINKS.
#pragma once

#include <sys/stat.h>

#include "kernel/base/result.h"
#include "kvm/hostcall/calls.h"
#include "kvm/monitor/services/file_table.h"
#include "kvm/monitor/services/valid.h"
#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

Errno host_errno(int code);

// openat2 of a path of one or more components; ELOOP at a symbolic link on the way.
Result<UniqueFd> open_beneath(int root, const char* path, int flags, std::uint32_t mode = 0);

// The entry `name` of a directory, or with an empty name what `root` itself is. A donated file is not opened
// anew, which takes /proc: the new descriptor shares what it may do (EROFS: it was donated for reading) with
// the donated one.
Result<UniqueFd> open_entry(int root, const char* name, int flags);

// The directory that holds the last component of a path. For a path of one component it is the root itself.
// Opens the donated object that `wanted` says by the name under which it is mounted: the numbers from 0 on in
// the root of the process. ENXIO: it is not there.
Result<UniqueFd> open_mounted(const struct stat& wanted, int flags);

class ParentDirectory {
 public:
  // EBADF, and what openat2(2) gives.
  static Result<ParentDirectory> open(const FileTable& files, const ValidPath& path);
  int fd() const { return owned_.valid() ? owned_.get() : root_->fd.get(); }

 private:
  HostFileRef root_;
  UniqueFd owned_;
};

// lstat of `name` in a directory; of the directory itself if the name is empty.
Result<struct stat> stat_entry(int directory, const char* name);
hostcall::HostStat to_host_stat(const struct stat& st);

}  // namespace runsc::monitor
