// /proc/PID/fd and fdinfo.
#include "fs/mount.h"
#include "kernel/proc/proc.h"

namespace runsc::kernel::proc {

namespace {

constexpr uint8_t kDtReg = 8, kDtLnk = 10;

Result<Ref<fs::File>> file_of(Task& task, int fd) {
  Ref<fs::FdTable> files = task.files_ref();
  if (!files) return Errno::noent;
  auto file = files->get(fd);
  if (!file) return Errno::noent;
  return file;
}

// The object behind a descriptor without a path, as something that open(2) can open again.
class ReopenNode final : public fs::PseudoInode {
 public:
  ReopenNode(fs::PseudoSuper& super, Ref<fs::File> file, uint32_t mode)
      : PseudoInode(super, mode), file_(std::move(file)) {}
  Result<fs::Attr> get_attr() override { return file_->get_attr(); }
  // O_TRUNC means nothing to what is no regular file (open(2)).
  Result<void> set_attr(const fs::SetAttr& attr) override {
    bool truncates = attr.mask & fs::SetAttr::kSize;
    if (truncates && (TRY(file_->get_attr()).mode & fs::kTypeMask) != fs::kRegular) return {};
    return file_->set_attr(attr);
  }
  Result<Ref<fs::File>> open(uint32_t flags) override { return file_->reopen(flags); }

 private:
  const Ref<fs::File> file_;
};

Result<fs::Path> reopening_path(fs::PseudoSuper& super, Ref<fs::File> file) {
  // A regular type: the VFS would route special ones to the device they name.
  Ref<fs::Inode> node = make_ref<ReopenNode>(super, std::move(file), fs::kRegular | 0600);
  if (!node) return Errno::nomem;
  return fs::anonymous_path(std::move(node), "");
}

class FdLink final : public fs::LinkNode {
 public:
  FdLink(fs::PseudoSuper& super, Ref<Task> task, int fd, uint32_t mode)
      : LinkNode(super, fs::kSymlink | mode), task_(std::move(task)), fd_(fd) {}
  Result<String> read_link() override {
    if (!may_inspect(*task_)) return Errno::acces;
    Ref<fs::File> file = TRY(file_of(*task_, fd_));
    if (file->path()) return fs::path_name(file->path(), Task::current().fs().root(), fs::Unreachable::plain);
    HeapText text;
    file->describe(text);
    TRY(text.status());
    return String::from(text.view());
  }
  Result<fs::Path> follow_magic() override {
    if (!may_inspect(*task_)) return Errno::acces;
    Ref<fs::File> file = TRY(file_of(*task_, fd_));
    if (file->path()) return file->path();
    return reopening_path(pseudo(), std::move(file));
  }

 private:
  const Ref<Task> task_;
  const int fd_;
};

class FdInfo final : public fs::TextNode {
 public:
  FdInfo(fs::PseudoSuper& super, Ref<Task> task, int fd)
      : TextNode(super, fs::kRegular | 0400), task_(std::move(task)), fd_(fd) {}
  Result<void> show(TextSink& out) override {
    Ref<fs::File> file = TRY(file_of(*task_, fd_));
    Ref<fs::FdTable> files = task_->files_ref();
    uint32_t flags = file->flags();
    if (files) {
      auto cloexec = files->close_on_exec(fd_);
      if (cloexec && *cloexec) flags |= fs::open_flag::cloexec;
    }
    uint64_t position;
    {
      LockGuard guard(file->position_lock);
      position = file->position;
    }
    uint64_t ino = 0;
    if (auto attr = file->get_attr()) ino = attr->ino;
    format(out, "pos:\t{}\nflags:\t0{:o}\nmnt_id:\t{}\nino:\t{}\n", position, flags,
           file->path().mount ? file->path().mount->id() : 0, ino);
    file->fdinfo(out);
    return {};
  }

 private:
  const Ref<Task> task_;
  const int fd_;
};

class FdDir final : public fs::DirNode {
 public:
  FdDir(fs::PseudoSuper& super, Ref<Task> task, bool info)
      : DirNode(super, fs::kDirectory | 0500), task_(std::move(task)), info_(info) {
    if (Ref<fs::Credentials> c = task_->creds_ref()) set_owner(c->euid, c->egid);
  }
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    auto fd = fs::parse_decimal(name);
    if (!fd || *fd > 0x7fffffff || (name.size() > 1 && name[0] == '0')) return Errno::noent;
    if (!may_inspect(*task_)) return Errno::acces;
    Ref<fs::File> file = TRY(file_of(*task_, static_cast<int>(*fd)));
    Ref<fs::Inode> node;
    if (info_) {
      node = make_ref<FdInfo>(pseudo(), task_, static_cast<int>(*fd));
    } else {
      uint32_t mode = (file->readable() ? 0500 : 0) | (file->writable() ? 0300 : 0);
      node = make_ref<FdLink>(pseudo(), task_, static_cast<int>(*fd), mode);
    }
    if (!node) return Errno::nomem;
    return node;
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    if (!may_inspect(*task_)) return Errno::acces;
    Ref<fs::FdTable> files = task_->files_ref();
    if (!files) return offset;
    for (int fd = files->next_open(static_cast<int>(offset)); fd >= 0; fd = files->next_open(fd + 1)) {
      char room[12];
      FixedText name(room);
      format(name, "{}", fd);
      uint64_t next = static_cast<uint64_t>(fd) + 1;
      if (!sink.add(name.view(), 0, info_ ? kDtReg : kDtLnk, next)) return static_cast<uint64_t>(fd);
      offset = next;
    }
    return offset;
  }

 private:
  const Ref<Task> task_;
  const bool info_;
};

}  // namespace

Result<Ref<fs::Inode>> make_fd_dir(fs::PseudoSuper& super, Ref<Task> task, bool info) {
  Ref<fs::Inode> node = make_ref<FdDir>(super, std::move(task), info);
  if (!node) return Errno::nomem;
  return node;
}

}  // namespace runsc::kernel::proc
