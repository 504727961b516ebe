#include "kernel/fs_context_file.h"

#include "fs/filesystem.h"
#include "fs/user_namespace.h"
#include "kernel/namespaces.h"
#include "kernel/new_super.h"

namespace runsc::kernel {

namespace {

// Keys that mean the same to all kinds, fsconfig(2). False: not one of them.
bool take_flag(std::string_view key, std::optional<bool>& read_only) {
  if (key == "ro" || key == "rw")
    read_only = key == "ro";
  else if (key != "sync" && key != "async" && key != "dirsync" && key != "mand" && key != "nomand" &&
           key != "lazytime" && key != "nolazytime")
    return false;
  return true;
}

// Whether the kind knows the option: those without options of their own are asked here.
Result<void> check_option(std::string_view type, std::string_view option) {
  const std::string_view key = option.substr(0, option.find('='));
  if (type == "proc")
    return key == "gid" || key == "hidepid" || key == "subset" ? Result<void>() : Errno::inval;
  if (type == "sysfs" || type == "mqueue") return Errno::inval;
  // One to throw away.
  Result<Ref<fs::SuperBlock>> super = TRY(fs::find_filesystem(type))("none", option);
  if (!super) return Errno::inval;
  fs::MountHold hold(std::move(*super));
  return {};
}

}  // namespace

FsContextFile::FsContextFile(String type, Ref<fs::Credentials> creds)
    : File(fs::open_flag::rdwr),
      type_(std::move(type)),
      creds_(std::move(creds)),
      phase_(Phase::parameters) {}

FsContextFile::FsContextFile(fs::Path root)
    : File(fs::open_flag::rdwr), root_(std::move(root)), phase_(Phase::reconfigures) {}

Result<void> FsContextFile::set(std::string_view key, std::string_view value, bool has_value) {
  LockGuard guard(lock_);
  if (phase_ != Phase::parameters && phase_ != Phase::reconfigures) return Errno::busy;
  constexpr size_t kMostOptions = 4096;
  if (!has_value && take_flag(key, read_only_)) return {};
  if (key == "source") {
    if (!has_value || !source_.empty()) return Errno::inval;
    source_ = TRY(String::from(value));
    return {};
  }
  HeapText option;
  option.write(key);
  if (has_value) {
    option.write("=");
    option.write(value);
  }
  TRY(option.status());
  if (options_.size() + option.view().size() + 2 > kMostOptions) return Errno::inval;
  const std::string_view type = root_.mount ? root_.mount->super().type_name() : type_.view();
  TRY(check_option(type, option.view()));
  String more = options_.empty()
                    ? TRY(String::from(option.view()))
                    : TRY(String::concat(TRY(String::concat(options_.view(), ",")).view(), option.view()));
  options_ = std::move(more);
  return {};
}

Result<void> FsContextFile::create(Task& task) {
  LockGuard guard(lock_);
  if (phase_ != Phase::parameters) return Errno::busy;
  auto super = new_super(task, *creds_, type_.view(), source_.view(), options_.view());
  if (!super) {
    if (super.error() != Errno::perm) phase_ = Phase::failed;
    return super.error();
  }
  hold_.emplace(std::move(*super));
  phase_ = Phase::awaits_mount;
  return {};
}

Result<void> FsContextFile::reconfigure(Task& task) {
  LockGuard guard(lock_);
  if (phase_ != Phase::reconfigures || !root_.mount) return Errno::busy;
  if (!fs::is_capable(task.creds(), root_.mount->super().owner(), fs::Cap::sys_admin)) return Errno::perm;
  if (read_only_) {
    fs::set_read_only(root_.mount->super(), *read_only_);
    read_only_ = false;  // named once it counts as named, and as off unless it is named again
  }
  options_ = {};
  return {};
}

Result<fs::DetachedMount> FsContextFile::mount(Task& task, uint64_t flags) {
  LockGuard guard(lock_);
  if (!hold_) return Errno::inval;
  const uint32_t locks = TRY(check_revealing(task, hold_->super(), flags));
  if (phase_ != Phase::awaits_mount) return Errno::busy;
  fs::DetachedMount made = TRY(fs::mount_detached(
      task.namespaces().mounts(), Ref<fs::SuperBlock>(hold_->super()), flags, source_.view(), locks));
  if (read_only_) fs::set_read_only(hold_->super(), *read_only_);
  phase_ = Phase::failed;  // what it was made for is done
  return made;
}

Result<size_t> FsContextFile::read(mm::IoBuf&, uint64_t) { return Errno::nodata; }

DetachedMountFile::DetachedMountFile(fs::DetachedMount mount, Ref<fs::Inode> inode)
    : File(fs::open_flag::path, std::move(inode)), holder_(std::move(mount.holder)) {
  set_path(std::move(mount.root));
}

}  // namespace runsc::kernel
