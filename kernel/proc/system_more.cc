// The smaller files of /proc that are about the whole system.
#include "fs/file_lock.h"
#include "kernel/pid.h"
#include "kernel/proc/proc.h"

namespace runsc::kernel::proc {

namespace {

void cpu_head(TextSink& out) {
  for (unsigned i = 0; i < arch::cpu_count(); ++i) format(out, "CPU{:<8}", i);
  out.write("\n");
}

uint32_t major_of(uint64_t dev) {
  return static_cast<uint32_t>((dev >> 8 & 0xfff) | (dev >> 32 & ~uint64_t{0xfff}));
}
uint32_t minor_of(uint64_t dev) {
  return static_cast<uint32_t>((dev & 0xff) | (dev >> 12 & ~uint64_t{0xff}));
}

void show_lock(uint64_t number, const fs::FileLocks::Shown& lock, const fs::Attr& attr, TextSink& out) {
  using Kind = fs::FileLocks::Shown::Kind;
  format(out, "{}: {}{}ADVISORY  {} {} {:02x}:{:02x}:{} {} ", number, lock.waits ? "-> " : "",
         lock.kind == Kind::flock    ? "FLOCK  "
         : lock.kind == Kind::record ? "POSIX  "
                                     : "OFDLCK ",
         lock.type == fs::LockType::exclusive ? "WRITE" : "READ",
         lock.pid > 0 ? number_for(Task::current(), lock.pid) : lock.pid, major_of(attr.dev),
         minor_of(attr.dev), attr.ino, lock.start);
  constexpr uint64_t kEnd = 0x7fffffffffffffff;
  if (lock.end > kEnd)
    out.write("EOF\n");
  else
    format(out, "{}\n", lock.end - 1);
}

// The locks of one process's files that `seen` does not hold yet.
Result<void> locks_of(fs::FdTable& files, Vec<Ref<fs::Inode>>& seen, uint64_t& number, TextSink& out) {
  for (int fd = files.next_open(0); fd >= 0; fd = files.next_open(fd + 1)) {
    Result<Ref<fs::File>> file = files.get(fd);
    fs::Inode* inode = file ? (*file)->inode() : nullptr;
    Ref<fs::FileLocks> locks = inode ? fs::FileLocks::existing(*inode) : Ref<fs::FileLocks>();
    if (!locks) continue;
    bool known = false;
    for (const Ref<fs::Inode>& s : seen) known |= s.get() == inode;
    if (known) continue;
    TRY(seen.push_back(Ref<fs::Inode>(*inode)));
    Vec<fs::FileLocks::Shown> list;
    TRY(locks->snapshot(list));
    fs::Attr attr = TRY((*file)->get_attr());
    for (const fs::FileLocks::Shown& lock : list)
      if (lock.pid <= 0 || number_for(Task::current(), lock.pid) != 0)
        show_lock(lock.waits ? number : ++number, lock, attr, out);
  }
  return {};
}

}  // namespace

// Whoever has a lock has the file open.
Result<void> show_locks(TextSink& out) {
  Vec<Ref<fs::Inode>> seen;
  uint64_t number = 0;
  for (int32_t from = 1;;) {
    Ref<ThreadGroup> group = next_group(from);
    if (!group) return {};
    from = group->pid + 1;
    Ref<Task> leader = next_thread_of(*group, 0);
    Ref<fs::FdTable> files = leader ? leader->files_ref() : Ref<fs::FdTable>();
    if (files) TRY(locks_of(*files, seen, number, out));
  }
}

// Interrupts are the host's.
Result<void> show_interrupts(TextSink& out) {
  out.write("           ");
  cpu_head(out);
  out.write("ERR:          0\nMIS:          0\n");
  return {};
}

Result<void> show_softirqs(TextSink& out) {
  out.write("                    ");
  cpu_head(out);
  for (std::string_view name :
       {"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"}) {
    format(out, "{:12}:", name);
    for (unsigned i = 0; i < arch::cpu_count(); ++i) out.write("          0");
    out.write("\n");
  }
  return {};
}

Result<void> show_cgroups(TextSink& out) {
  // Programs see by the zeros that all are in the hierarchy of version 2.
  out.write("#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
  for (std::string_view name : {"cpuset", "cpu", "cpuacct", "memory", "pids"})
    format(out, "{}\t0\t1\t1\n", name);
  return {};
}

Result<void> show_exec_domains(TextSink& out) {
  out.write("0-0\tLinux           \t[kernel]\n");
  return {};
}

// ps(1) finds the names of terminals here.
Result<void> show_tty_drivers(TextSink& out) {
  out.write(
      "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
      "/dev/console         /dev/console    5       1 system:console\n"
      "/dev/ptmx            /dev/ptmx       5       2 system\n"
      "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
      "pty_master           /dev/ptm      128 0-1048575 pty:master\n");
  return {};
}

Result<void> show_line_disciplines(TextSink& out) {
  out.write("n_tty       0\n");
  return {};
}

}  // namespace runsc::kernel::proc
