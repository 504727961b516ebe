// sysfs: the CPUs, and the places that programs look into.
#include "kernel/proc/proc.h"

namespace runsc::kernel {

namespace {

constexpr uint8_t kDtDir = 4, kDtReg = 8;
constexpr uint64_t kSysfsMagic = 0x62656572;

using fs::static_dir;
using fs::static_text;
using fs::StaticEntry;

Result<void> show_cpu_range(TextSink& out) {
  const unsigned n = arch::cpu_count();
  if (n == 1)
    out.write("0\n");
  else
    format(out, "0-{}\n", n - 1);
  return {};
}

Result<void> show_blank(TextSink& out) {
  out.write("\n");
  return {};
}

Result<void> show_kernel_max(TextSink& out) {
  format(out, "{}\n", hostcall::kMaxCpus - 1);
  return {};
}

template <char Digit>
Result<void> digit(TextSink& out) {
  const char text[] = {Digit, '\n'};
  out.write({text, 2});
  return {};
}

Result<void> show_thp(TextSink& out) {
  out.write("always madvise [never]\n");
  return {};
}

// /sys/devices/system/cpu/cpuN: each CPU is a core, all are one package.
void show_own_mask(unsigned cpu, TextSink& out) {
  proc::show_cpu_mask(uint64_t{1} << cpu, out);
  out.write("\n");
}
void show_all_mask(unsigned, TextSink& out) {
  const unsigned n = arch::cpu_count();
  proc::show_cpu_mask(n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1, out);
  out.write("\n");
}
void show_own_number(unsigned cpu, TextSink& out) { format(out, "{}\n", cpu); }
void show_all_numbers(unsigned, TextSink& out) { (void)show_cpu_range(out); }
void show_first(unsigned, TextSink& out) { out.write("0\n"); }

struct CpuRow {
  std::string_view name;
  void (*show)(unsigned cpu, TextSink& out);
};
constexpr CpuRow kTopology[] = {
    {"cluster_cpus", show_own_mask},
    {"cluster_cpus_list", show_own_number},
    {"core_cpus", show_own_mask},
    {"core_cpus_list", show_own_number},
    {"core_id", show_own_number},
    {"core_siblings", show_all_mask},
    {"core_siblings_list", show_all_numbers},
    {"die_cpus", show_all_mask},
    {"die_cpus_list", show_all_numbers},
    {"die_id", show_first},
    {"package_cpus", show_all_mask},
    {"package_cpus_list", show_all_numbers},
    {"physical_package_id", show_first},
    {"thread_siblings", show_own_mask},
    {"thread_siblings_list", show_own_number},
};

class CpuText final : public fs::TextNode {
 public:
  CpuText(fs::PseudoSuper& super, unsigned cpu, const CpuRow& row)
      : TextNode(super, fs::kRegular | 0444), cpu_(cpu), row_(row) {}
  Result<void> show(TextSink& out) override {
    row_.show(cpu_, out);
    return {};
  }

 private:
  const unsigned cpu_;
  const CpuRow& row_;
};

class TopologyDir final : public fs::DirNode {
 public:
  TopologyDir(fs::PseudoSuper& super, unsigned cpu) : DirNode(super, fs::kDirectory | 0755), cpu_(cpu) {}
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    for (const CpuRow& row : kTopology) {
      if (row.name != name) continue;
      Ref<fs::Inode> node = make_ref<CpuText>(pseudo(), cpu_, row);
      if (!node) return Errno::nomem;
      return node;
    }
    return Errno::noent;
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    for (; offset < std::size(kTopology); ++offset)
      if (!sink.add(kTopology[offset].name, 0, kDtReg, offset + 1)) break;
    return offset;
  }

 private:
  const unsigned cpu_;
};

constexpr StaticEntry kCpu[] = {static_text("online", digit<'1'>)};

class OneCpuDir final : public fs::StaticDir {
 public:
  OneCpuDir(fs::PseudoSuper& super, unsigned cpu) : StaticDir(super, kCpu, 0755), cpu_(cpu) {}
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    if (name != "topology") return StaticDir::lookup(name);
    Ref<fs::Inode> dir = make_ref<TopologyDir>(pseudo(), cpu_);
    if (!dir) return Errno::nomem;
    return dir;
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    const uint64_t files = entries().size();
    if (offset < files) offset = TRY(StaticDir::list(sink, offset));
    if (offset == files && sink.add("topology", 0, kDtDir, files + 1)) ++offset;
    return offset;
  }

 private:
  const unsigned cpu_;
};

constexpr StaticEntry kCpuFiles[] = {
    static_text("isolated", show_blank),     static_text("kernel_max", show_kernel_max),
    static_text("offline", show_blank),      static_text("online", show_cpu_range),
    static_text("possible", show_cpu_range), static_text("present", show_cpu_range),
};

class CpuDir final : public fs::StaticDir {
 public:
  explicit CpuDir(fs::PseudoSuper& super) : StaticDir(super, kCpuFiles, 0755) {}
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    if (name.starts_with("cpu")) {
      auto n = fs::parse_decimal(name.substr(3));
      if (!n || *n >= arch::cpu_count()) return Errno::noent;
      Ref<fs::Inode> dir = make_ref<OneCpuDir>(pseudo(), static_cast<unsigned>(*n));
      if (!dir) return Errno::nomem;
      return dir;
    }
    return StaticDir::lookup(name);
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    const uint64_t files = entries().size();
    if (offset < files) {
      offset = TRY(StaticDir::list(sink, offset));
      if (offset < files) return offset;
    }
    for (; offset - files < arch::cpu_count(); ++offset) {
      char room[12];
      FixedText name(room);
      format(name, "cpu{}", offset - files);
      if (!sink.add(name.view(), 0, kDtDir, offset + 1)) break;
    }
    return offset;
  }
};

Result<Ref<fs::Inode>> make_cpu_dir(fs::PseudoSuper& super) {
  Ref<fs::Inode> dir = make_ref<CpuDir>(super);
  if (!dir) return Errno::nomem;
  return dir;
}

constexpr StaticEntry cpu_dir() {
  StaticEntry e;
  e.name = "cpu";
  e.mode = 0755;
  e.make = make_cpu_dir;
  e.make_type = kDtDir;
  return e;
}

// An array of no entries is not C++: directories that are empty are made by this.
Result<Ref<fs::Inode>> make_empty_dir(fs::PseudoSuper& super) {
  Ref<fs::Inode> dir = make_ref<fs::StaticDir>(super, std::span<const StaticEntry>(), 0755);
  if (!dir) return Errno::nomem;
  return dir;
}

constexpr StaticEntry empty_dir(std::string_view name) {
  StaticEntry e;
  e.name = name;
  e.mode = 0755;
  e.make = make_empty_dir;
  e.make_type = kDtDir;
  return e;
}

template <bool Links>
Result<Ref<fs::Inode>> make_net(fs::PseudoSuper& super) {
  return proc::make_net_class(super, Links);
}
template <bool Links>
constexpr StaticEntry net_dir() {
  StaticEntry e;
  e.name = "net";
  e.mode = 0755;
  e.make = make_net<Links>;
  e.make_type = kDtDir;
  return e;
}

constexpr StaticEntry kSystem[] = {cpu_dir()};
constexpr StaticEntry kVirtual[] = {net_dir<false>()};
constexpr StaticEntry kDevices[] = {static_dir("system", kSystem, 0755),
                                    static_dir("virtual", kVirtual, 0755)};
constexpr StaticEntry kThp[] = {static_text("enabled", show_thp)};
constexpr StaticEntry kMm[] = {static_dir("transparent_hugepage", kThp, 0755)};
constexpr StaticEntry kKernelDir[] = {static_dir("mm", kMm, 0755)};
constexpr StaticEntry kFsDir[] = {empty_dir("cgroup")};
constexpr StaticEntry kClass[] = {net_dir<true>()};
constexpr StaticEntry kRoot[] = {
    empty_dir("block"),
    empty_dir("bus"),
    static_dir("class", kClass, 0755),
    empty_dir("dev"),
    static_dir("devices", kDevices, 0755),
    empty_dir("firmware"),
    static_dir("fs", kFsDir, 0755),
    static_dir("kernel", kKernelDir, 0755),
    empty_dir("module"),
    empty_dir("power"),
};

}  // namespace

Result<Ref<fs::SuperBlock>> mount_sysfs(std::string_view, std::string_view) {
  Ref<fs::PseudoSuper> super = make_ref<fs::PseudoSuper>("sysfs", kSysfsMagic);
  if (!super) return Errno::nomem;
  Ref<fs::Inode> root = make_ref<fs::StaticDir>(*super, std::span<const StaticEntry>(kRoot), 0755);
  if (!root) return Errno::nomem;
  super->set_root(std::move(root));
  return Ref<fs::SuperBlock>(super);
}

}  // namespace runsc::kernel
