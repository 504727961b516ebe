// /proc/PID/map_files (proc_pid_map_files(5)), and /proc/PID/attr where no security module answers.
#include "fs/mount.h"
#include "kernel/proc/task_files.h"

namespace runsc::kernel::proc {

namespace {

constexpr uint8_t kDtReg = 8, kDtLnk = 10;

struct Range {
  uint64_t start = 0, end = 0;
  bool writable = false;
};

// "START-END", hexadecimal as Linux writes it and in no other way.
Result<Range> parse_range(std::string_view name) {
  Range r;
  uint64_t* parts[] = {&r.start, &r.end};
  const size_t dash = name.find('-');
  if (dash == std::string_view::npos) return Errno::noent;
  const std::string_view texts[] = {name.substr(0, dash), name.substr(dash + 1)};
  for (size_t i = 0; i < 2; ++i) {
    if (texts[i].empty() || texts[i].size() > 16 || (texts[i].size() > 1 && texts[i][0] == '0'))
      return Errno::noent;
    for (char c : texts[i]) {
      unsigned digit = 16;
      if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
      if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a' + 10);
      if (digit > 15) return Errno::noent;
      *parts[i] = *parts[i] << 4 | digit;
    }
  }
  return r;
}

// The file that is mapped in exactly this range.
Result<mm::MappableRef> file_in(Task& task, Range& r) {
  Ref<mm::AddressSpace> space = task.mm_ref();
  mm::MappableRef file;
  if (space)
    space->for_each_vma(r.start, [&](const mm::Vma& v) {
      if (v.start == r.start && v.end == r.end) {
        file = v.file;
        // What the descriptor allowed; a private mapping does not remember more than that it could be read.
        r.writable = v.shared && mm::has(v.max_prot, mm::Prot::write);
      }
      return false;
    });
  if (!file) return Errno::noent;
  return file;
}

class MapLink final : public fs::LinkNode {
 public:
  MapLink(fs::PseudoSuper& super, Ref<Task> task, const Range& range)
      : LinkNode(super, fs::kSymlink | (range.writable ? 0600 : 0400)),
        task_(std::move(task)),
        range_(range) {
    if (Ref<fs::Credentials> c = task_->creds_ref()) set_owner(c->euid, c->egid);
  }
  Result<String> read_link() override {
    if (!may_inspect(*task_)) return Errno::acces;
    Range r = range_;
    mm::MappableRef file = TRY(file_in(*task_, r));
    fs::Path path;
    if (file->file_path(path))
      return fs::path_name(path, Task::current().fs().root(), fs::Unreachable::plain);
    HeapText text;
    file->describe(text);
    TRY(text.status());
    return String::from(text.view());
  }
  // Through it one reaches files that no name leads to: not for everybody.
  Result<fs::Path> follow_magic() override {
    const fs::Credentials& c = Task::current().creds();
    if (!c.has(fs::Cap::sys_admin) && !c.has(fs::Cap::checkpoint_restore)) return Errno::perm;
    if (!may_inspect(*task_)) return Errno::acces;
    Range r = range_;
    mm::MappableRef file = TRY(file_in(*task_, r));
    fs::Path path;
    if (!file->file_path(path)) return Errno::noent;
    return path;
  }

 private:
  const Ref<Task> task_;
  const Range range_;
};

class MapDir final : public fs::DirNode {
 public:
  MapDir(fs::PseudoSuper& super, Ref<Task> task)
      : DirNode(super, fs::kDirectory | 0500), task_(std::move(task)) {
    if (Ref<fs::Credentials> c = task_->creds_ref()) set_owner(c->euid, c->egid);
  }
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    if (!may_inspect(*task_)) return Errno::acces;
    Range r = TRY(parse_range(name));
    (void)TRY(file_in(*task_, r));
    Ref<fs::Inode> node = make_ref<MapLink>(pseudo(), task_, r);
    if (!node) return Errno::nomem;
    return node;
  }
  // An offset is the page behind the mapping that was listed last.
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    if (!may_inspect(*task_)) return Errno::acces;
    Ref<mm::AddressSpace> space = task_->mm_ref();
    if (!space) return offset;
    for (;;) {
      // One by one: the sink is not for those who hold the lock of the space.
      Range r;
      space->for_each_vma(offset * mm::kPageSize, [&](const mm::Vma& v) {
        if (!v.file || v.start < offset * mm::kPageSize) return true;
        r.start = v.start, r.end = v.end;
        return false;
      });
      if (r.end == 0) return offset;
      char room[40];
      FixedText name(room);
      format(name, "{:x}-{:x}", r.start, r.end);
      if (!sink.add(name.view(), 0, kDtLnk, r.end / mm::kPageSize)) return offset;
      offset = r.end / mm::kPageSize;
    }
  }

 private:
  const Ref<Task> task_;
};

// ---- attr

constexpr std::string_view kAttributes[] = {"current", "exec", "fscreate", "keycreate", "prev", "sockcreate"};

class AttributeNode final : public fs::TextNode {
 public:
  AttributeNode(fs::PseudoSuper& super, Ref<Task> task, std::string_view name)
      : TextNode(super, fs::kRegular | (name == "prev" ? 0444 : 0666)), task_(std::move(task)) {
    if (Ref<fs::Credentials> c = task_->creds_ref()) set_owner(c->euid, c->egid);
  }
  Result<void> show(TextSink&) override { return Errno::inval; }
  Result<void> store(std::string_view) override {
    if (&task_->group() != &Task::current().group()) return Errno::perm;
    return task_.get() == &Task::current() ? Errno::inval : Errno::acces;
  }

 private:
  const Ref<Task> task_;
};

class AttributeDir final : public fs::DirNode {
 public:
  AttributeDir(fs::PseudoSuper& super, Ref<Task> task)
      : DirNode(super, fs::kDirectory | 0555), task_(std::move(task)) {
    if (Ref<fs::Credentials> c = task_->creds_ref()) set_owner(c->euid, c->egid);
  }
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    for (std::string_view known : kAttributes) {
      if (known != name) continue;
      Ref<fs::Inode> node = make_ref<AttributeNode>(pseudo(), task_, known);
      if (!node) return Errno::nomem;
      return node;
    }
    return Errno::noent;
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    for (; offset < std::size(kAttributes); ++offset)
      if (!sink.add(kAttributes[offset], 0, kDtReg, offset + 1)) break;
    return offset;
  }

 private:
  const Ref<Task> task_;
};

}  // namespace

Result<Ref<fs::Inode>> make_map_files_dir(fs::PseudoSuper& super, Ref<Task> task) {
  Ref<fs::Inode> node = make_ref<MapDir>(super, std::move(task));
  if (!node) return Errno::nomem;
  return node;
}

Result<Ref<fs::Inode>> make_attribute_dir(fs::PseudoSuper& super, Ref<Task> task) {
  Ref<fs::Inode> node = make_ref<AttributeDir>(super, std::move(task));
  if (!node) return Errno::nomem;
  return node;
}

}  // namespace runsc::kernel::proc
