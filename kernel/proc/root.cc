// The root of proc: the system's files, self, and a directory for each process.
#include "kernel/pid.h"
#include "kernel/proc/proc.h"

namespace runsc::kernel {

namespace {

constexpr uint8_t kDtDir = 4, kDtLnk = 10;
constexpr uint64_t kProcMagic = 0x9fa0;

// self and thread-self: they mean whoever reads them.
class SelfLink final : public fs::LinkNode {
 public:
  SelfLink(fs::PseudoSuper& super, bool thread) : LinkNode(super), thread_(thread) {}
  Result<String> read_link() override {
    Task& task = Task::current();
    const PidNamespace& ns = proc::shown_namespace(pseudo());
    const int32_t pid = number_in(ns, task.pid());
    if (pid == 0) return Errno::noent;
    char room[40];
    FixedText text(room);
    if (thread_)
      format(text, "{}/task/{}", pid, number_in(ns, task.tid()));
    else
      format(text, "{}", pid);
    return String::from(text.view());
  }

 private:
  const bool thread_;
};

class ProcRoot final : public fs::StaticDir {
 public:
  explicit ProcRoot(fs::PseudoSuper& super) : StaticDir(super, proc::system_entries()) {}

  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    if (name == "self" || name == "thread-self") {
      Ref<fs::Inode> link = make_ref<SelfLink>(pseudo(), name != "self");
      if (!link) return Errno::nomem;
      return link;
    }
    if (!name.empty() && name[0] >= '1' && name[0] <= '9') {
      auto pid = fs::parse_decimal(name);
      if (!pid || *pid > kPidMax) return Errno::noent;
      // A thread's number finds its directory too, though listing shows processes only (proc(5)).
      Ref<Task> task = find_task(id_of(proc::shown_namespace(pseudo()), static_cast<int32_t>(*pid)));
      if (!task) return Errno::noent;
      return proc::make_task_dir(pseudo(), std::move(task), true);
    }
    return StaticDir::lookup(name);
  }

  // Offsets: the static entries, then self and thread-self, then pids from kFirstPid on.
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    const uint64_t links = entries().size();
    if (offset < links) {
      offset = TRY(StaticDir::list(sink, offset));
      if (offset < links) return offset;
    }
    if (offset == links) {
      if (!sink.add("self", 0, kDtLnk, links + 1)) return offset;
      ++offset;
    }
    if (offset == links + 1) {
      if (!sink.add("thread-self", 0, kDtLnk, kFirstPid)) return offset;
      offset = kFirstPid;
    }
    if (offset < kFirstPid) offset = kFirstPid;
    for (;;) {
      const NumberedGroup next =
          next_group_in(proc::shown_namespace(pseudo()), static_cast<int32_t>(offset - kFirstPid));
      if (!next.group) return offset;
      char room[12];
      FixedText name(room);
      format(name, "{}", next.number);
      uint64_t at = kFirstPid + static_cast<uint64_t>(next.number);
      if (!sink.add(name.view(), 0, kDtDir, at + 1)) return at;
      offset = at + 1;
    }
  }

 private:
  static constexpr uint64_t kFirstPid = 256;
};

}  // namespace

proc::ProcSuper::ProcSuper(Ref<PidNamespace> ns) : PseudoSuper("proc", kProcMagic), ns_(std::move(ns)) {}

Result<Ref<fs::SuperBlock>> mount_proc(std::string_view, std::string_view) {
  Ref<fs::PseudoSuper> super = make_ref<proc::ProcSuper>(Ref<PidNamespace>(Task::current().pid_namespace()));
  if (!super) return Errno::nomem;
  Ref<fs::Inode> root = make_ref<ProcRoot>(*super);
  if (!root) return Errno::nomem;
  super->set_root(std::move(root));
  return Ref<fs::SuperBlock>(super);
}

}  // namespace runsc::kernel
