// The container to run, as bytes: written by the host (ContainerWriter), read by the sentry
// (ContainerReader). A sequence of little-endian u32/u64 and length-prefixed strings, in this order:
//   u32 version (kContainerVersion)
//   u32 count, u32 handles: what is donated for it; below a handle is a place in this list, or kNoPlace
//   string hostname (empty: as it is), string domainname, u32 wait (1: the init waits for CommandKind::start)
//   limits: u32 which (Limits::kMemory...), u64 memory in bytes, u32 tasks (both: all ones for no limit),
//   u64 CPU quota (0: none) and period in microseconds, u64 CPU shares, u64 memory of the whole sandbox
//   a process:
//   strings argv, strings envp, string cwd
//   u32 uid, u32 gid, u32 list additional gids, u32 umask
//   u64 capabilities: effective, permitted, inheritable, bounding, ambient
//   u32 no_new_privs
//   u32 count, then per rlimit: u32 resource, u64 cur, u64 max
//   u32 terminal, u32 rows, u32 columns, u32 handles of stdin, stdout, stderr (terminal: all three the host's
//   tty bridge)
//   u32 list handles of what it has open from 3 on
//   attributes: u32 which (ProcessAttributes::kOomScore...), u32 oom_score_adj, u32 personality, u32 I/O
//   priority as ioprio_set(2) takes it, u32 scheduling policy, u32 nice, u32 real-time priority
//   string seccomp: the container's filter, instructions of classic BPF (empty: none; of what joins, always)
//   string network: network_spec.h (empty but for the first container)
//   and behind it: u32 root handle (donated directory), u32 root read-only, u32 root overlay in memory (1) or
//   direct to the host (0) u32 count, then per mount in order: string destination, u32 kind (MountKind), u32
//   handle, u64 flags (MS_*), u64 propagation (0 or MS_SHARED... with MS_REC), string data
//   u64 propagation of the root
//   u32 count, then per device: string path, u32 type (S_IFCHR, S_IFIFO), u32 major, minor, u32 which
//   (DeviceNode::kMode...), u32 mode, uid, gid
//   strings masked paths, strings read-only paths
//   (in front of "string network": u32 count, then per sysctl: string name below /proc/sys, string value)
// What joins a running container (CommandKind::execute) is version, handles and a process alone; new limits
// (CommandKind::update) are the limits alone.
// A list is its u32 count and its elements; a string is its u32 length and its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace runsc::hostcall {

inline constexpr uint32_t kContainerVersion = 6;
inline constexpr uint32_t kNoPlace = ~uint32_t{0};

enum class MountKind : uint32_t {
  bind = 1,
  tmpfs = 2,
  proc = 3,
  sysfs = 4,
  devtmpfs = 5,
  devpts = 6,
  mqueue = 7,
  cgroup = 8
};

// linux.resources, as far as the sentry keeps or shows them.
struct Limits {
  static constexpr uint32_t kMemory = 1, kTasks = 2, kCpuQuota = 4, kCpuPeriod = 8, kCpuShares = 16,
                            kSandbox = 32;
  uint32_t which = 0;  // what is said; the rest is as it was
  uint64_t memory = ~uint64_t{0};
  uint32_t tasks = ~uint32_t{0};
  uint64_t cpu_quota_us = 0, cpu_period_us = 0, cpu_shares = 0;
  uint64_t sandbox_memory = ~uint64_t{0};  // what the sentry may use of the host's, all in all
};

// What a process is started with beside all that; numbers that may be negative are as in two's complement.
struct ProcessAttributes {
  static constexpr uint32_t kOomScore = 1, kPersonality = 2, kIoPriority = 4, kScheduler = 8;
  uint32_t which = 0;
  uint32_t oom_score_adj = 0, personality = 0, io_priority = 0, policy = 0, nice = 0, rt_priority = 0;
};

// A node that linux.devices wants.
struct DeviceNode {
  static constexpr uint32_t kMode = 1, kUid = 2, kGid = 4;
  uint32_t type = 0, major = 0, minor = 0, which = 0, mode = 0, uid = 0, gid = 0;
};

// Reads without trust: after a short or bad read everything returns zero and ok() is false.
class ContainerReader {
 public:
  explicit ContainerReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  uint32_t u32() { return number<uint32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }
  std::string_view string() {
    uint32_t n = u32();
    if (n > bytes_.size() - at_) ok_ = false;
    if (!ok_) return {};
    std::string_view s(reinterpret_cast<const char*>(bytes_.data()) + at_, n);
    at_ += n;
    return s;
  }
  Limits limits() {
    Limits l;
    l.which = u32();
    l.memory = u64();
    l.tasks = u32();
    l.cpu_quota_us = u64();
    l.cpu_period_us = u64();
    l.cpu_shares = u64();
    l.sandbox_memory = u64();
    return l;
  }
  ProcessAttributes attributes() {
    ProcessAttributes a;
    for (uint32_t* field :
         {&a.which, &a.oom_score_adj, &a.personality, &a.io_priority, &a.policy, &a.nice, &a.rt_priority})
      *field = u32();
    return a;
  }
  DeviceNode device_node() {
    DeviceNode d;
    for (uint32_t* field : {&d.type, &d.major, &d.minor, &d.which, &d.mode, &d.uid, &d.gid}) *field = u32();
    return d;
  }
  // The list of donated handles. False: it is not whole.
  bool read_handles() {
    const uint32_t count = u32();
    if (count > (bytes_.size() - at_) / sizeof(uint32_t)) ok_ = false;
    if (!ok_) return false;
    handles_ = bytes_.subspan(at_, count * sizeof(uint32_t));
    at_ += handles_.size();
    return true;
  }
  // One of them; kNoPlace.
  uint32_t handle() {
    const uint32_t place = u32();
    if (!ok_ || place == kNoPlace) return kNoPlace;
    uint32_t handle = kNoPlace;
    if (place >= handles_.size() / sizeof handle)
      ok_ = false;
    else
      __builtin_memcpy(&handle, handles_.data() + place * sizeof handle, sizeof handle);
    return handle;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && at_ == bytes_.size(); }

 private:
  template <class T>
  T number() {
    T v = 0;
    if (!ok_ || bytes_.size() - at_ < sizeof v) {
      ok_ = false;
      return 0;
    }
    __builtin_memcpy(&v, bytes_.data() + at_, sizeof v);
    at_ += sizeof v;
    return v;
  }
  std::span<const std::byte> bytes_, handles_;
  size_t at_ = 0;
  bool ok_ = true;
};

// Sink: anything with append(const char*, size_t), such as std::string.
template <class Sink>
class ContainerWriter {
 public:
  explicit ContainerWriter(Sink& sink) : sink_(sink) {}
  void u32(uint32_t v) { sink_.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void u64(uint64_t v) { sink_.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void string(std::string_view s) {
    u32(static_cast<uint32_t>(s.size()));
    sink_.append(s.data(), s.size());
  }
  void limits(const Limits& l) {
    u32(l.which);
    u64(l.memory);
    u32(l.tasks);
    u64(l.cpu_quota_us);
    u64(l.cpu_period_us);
    u64(l.cpu_shares);
    u64(l.sandbox_memory);
  }
  void attributes(const ProcessAttributes& a) {
    for (const uint32_t field :
         {a.which, a.oom_score_adj, a.personality, a.io_priority, a.policy, a.nice, a.rt_priority})
      u32(field);
  }
  void device_node(const DeviceNode& d) {
    for (const uint32_t field : {d.type, d.major, d.minor, d.which, d.mode, d.uid, d.gid}) u32(field);
  }
  template <class List>
  void strings(const List& list) {
    u32(static_cast<uint32_t>(list.size()));
    for (const auto& s : list) string(s);
  }

 private:
  Sink& sink_;
};

}  // namespace runsc::hostcall
