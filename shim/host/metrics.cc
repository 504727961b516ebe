#include "shim/host/metrics.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "metrics_v1.pb.h"
#include "metrics_v2.pb.h"

namespace runsc::shim {
namespace {

namespace v1 = ::io::containerd::cgroups::v1;
namespace v2 = ::io::containerd::cgroups::v2;
using nlohmann::json;

constexpr const char* kNothing = "";

// A member of an object, null when there is none.
const json& at(const json& object, const char* name) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

uint64_t number(const json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (value.is_number_integer()) return static_cast<uint64_t>(std::max<int64_t>(value.get<int64_t>(), 0));
  return 0;
}

std::string text(const json& value) { return value.is_string() ? value.get<std::string>() : kNothing; }

// Calls visit(element) for each element of an array; for nothing else.
template <typename Visit>
void for_each(const json& array, Visit visit) {
  if (!array.is_array()) return;
  for (const json& element : array) visit(element);
}

template <typename Message>
struct RawField {
  const char* name;  // in memory.stat
  void (Message::*set)(uint64_t);
};

constexpr RawField<v1::MemoryStat> kRawV1[] = {
    {"cache", &v1::MemoryStat::set_cache},
    {"rss", &v1::MemoryStat::set_rss},
    {"rss_huge", &v1::MemoryStat::set_rss_huge},
    {"mapped_file", &v1::MemoryStat::set_mapped_file},
    {"dirty", &v1::MemoryStat::set_dirty},
    {"writeback", &v1::MemoryStat::set_writeback},
    {"pgpgin", &v1::MemoryStat::set_pg_pg_in},
    {"pgpgout", &v1::MemoryStat::set_pg_pg_out},
    {"pgfault", &v1::MemoryStat::set_pg_fault},
    {"pgmajfault", &v1::MemoryStat::set_pg_maj_fault},
    {"inactive_anon", &v1::MemoryStat::set_inactive_anon},
    {"active_anon", &v1::MemoryStat::set_active_anon},
    {"inactive_file", &v1::MemoryStat::set_inactive_file},
    {"active_file", &v1::MemoryStat::set_active_file},
    {"unevictable", &v1::MemoryStat::set_unevictable},
    {"hierarchical_memory_limit", &v1::MemoryStat::set_hierarchical_memory_limit},
    {"hierarchical_memsw_limit", &v1::MemoryStat::set_hierarchical_swap_limit},
    {"total_cache", &v1::MemoryStat::set_total_cache},
    {"total_rss", &v1::MemoryStat::set_total_rss},
    {"total_rss_huge", &v1::MemoryStat::set_total_rss_huge},
    {"total_mapped_file", &v1::MemoryStat::set_total_mapped_file},
    {"total_dirty", &v1::MemoryStat::set_total_dirty},
    {"total_writeback", &v1::MemoryStat::set_total_writeback},
    {"total_pgpgin", &v1::MemoryStat::set_total_pg_pg_in},
    {"total_pgpgout", &v1::MemoryStat::set_total_pg_pg_out},
    {"total_pgfault", &v1::MemoryStat::set_total_pg_fault},
    {"total_pgmajfault", &v1::MemoryStat::set_total_pg_maj_fault},
    {"total_inactive_anon", &v1::MemoryStat::set_total_inactive_anon},
    {"total_active_anon", &v1::MemoryStat::set_total_active_anon},
    {"total_inactive_file", &v1::MemoryStat::set_total_inactive_file},
    {"total_active_file", &v1::MemoryStat::set_total_active_file},
    {"total_unevictable", &v1::MemoryStat::set_total_unevictable},
};

constexpr RawField<v2::MemoryStat> kRawV2[] = {
    {"anon", &v2::MemoryStat::set_anon},
    {"file", &v2::MemoryStat::set_file},
    {"kernel_stack", &v2::MemoryStat::set_kernel_stack},
    {"slab", &v2::MemoryStat::set_slab},
    {"sock", &v2::MemoryStat::set_sock},
    {"shmem", &v2::MemoryStat::set_shmem},
    {"file_mapped", &v2::MemoryStat::set_file_mapped},
    {"file_dirty", &v2::MemoryStat::set_file_dirty},
    {"file_writeback", &v2::MemoryStat::set_file_writeback},
    {"anon_thp", &v2::MemoryStat::set_anon_thp},
    {"inactive_anon", &v2::MemoryStat::set_inactive_anon},
    {"active_anon", &v2::MemoryStat::set_active_anon},
    {"inactive_file", &v2::MemoryStat::set_inactive_file},
    {"active_file", &v2::MemoryStat::set_active_file},
    {"unevictable", &v2::MemoryStat::set_unevictable},
    {"slab_reclaimable", &v2::MemoryStat::set_slab_reclaimable},
    {"slab_unreclaimable", &v2::MemoryStat::set_slab_unreclaimable},
    {"pgfault", &v2::MemoryStat::set_pgfault},
    {"pgmajfault", &v2::MemoryStat::set_pgmajfault},
    {"pgrefill", &v2::MemoryStat::set_pgrefill},
    {"pgscan", &v2::MemoryStat::set_pgscan},
    {"pgsteal", &v2::MemoryStat::set_pgsteal},
    {"pgactivate", &v2::MemoryStat::set_pgactivate},
    {"pgdeactivate", &v2::MemoryStat::set_pgdeactivate},
    {"pglazyfree", &v2::MemoryStat::set_pglazyfree},
    {"pglazyfreed", &v2::MemoryStat::set_pglazyfreed},
    {"thp_fault_alloc", &v2::MemoryStat::set_thp_fault_alloc},
    {"thp_collapse_alloc", &v2::MemoryStat::set_thp_collapse_alloc},
};

template <typename Message, size_t N>
void fill_raw(const json& raw, const RawField<Message> (&fields)[N], Message& message) {
  for (const RawField<Message>& field : fields) (message.*field.set)(number(at(raw, field.name)));
}

void fill_entry(const json& entry, v1::MemoryEntry& message) {
  message.set_limit(number(at(entry, "limit")));
  message.set_usage(number(at(entry, "usage")));
  message.set_max(number(at(entry, "max")));
  message.set_failcnt(number(at(entry, "failcnt")));
}

void fill_blkio(const json& list, google::protobuf::RepeatedPtrField<v1::BlkIOEntry>& entries) {
  for_each(list, [&](const json& element) {
    v1::BlkIOEntry& entry = *entries.Add();
    entry.set_op(text(at(element, "op")));
    entry.set_major(number(at(element, "major")));
    entry.set_minor(number(at(element, "minor")));
    entry.set_value(number(at(element, "value")));
  });
}

void fill_network(const json& list, v1::Metrics& metrics) {
  for_each(list, [&](const json& element) {
    v1::NetworkStat& entry = *metrics.add_network();
    entry.set_name(text(at(element, "Name")));
    entry.set_rx_bytes(number(at(element, "RxBytes")));
    entry.set_rx_packets(number(at(element, "RxPackets")));
    entry.set_rx_errors(number(at(element, "RxErrors")));
    entry.set_rx_dropped(number(at(element, "RxDropped")));
    entry.set_tx_bytes(number(at(element, "TxBytes")));
    entry.set_tx_packets(number(at(element, "TxPackets")));
    entry.set_tx_errors(number(at(element, "TxErrors")));
    entry.set_tx_dropped(number(at(element, "TxDropped")));
  });
}

v1::Metrics metrics_v1(const json& data) {
  v1::Metrics metrics;
  metrics.mutable_pids()->set_current(number(at(at(data, "pids"), "current")));
  metrics.mutable_pids()->set_limit(number(at(at(data, "pids"), "limit")));
  const json& cpu = at(at(data, "cpu"), "usage");
  v1::CPUUsage& usage = *metrics.mutable_cpu()->mutable_usage();
  usage.set_total(number(at(cpu, "total")));
  usage.set_kernel(number(at(cpu, "kernel")));
  usage.set_user(number(at(cpu, "user")));
  for_each(at(cpu, "percpu"), [&](const json& element) { usage.add_per_cpu(number(element)); });
  const json& throttling = at(at(data, "cpu"), "throttling");
  v1::Throttle& throttle = *metrics.mutable_cpu()->mutable_throttling();
  throttle.set_periods(number(at(throttling, "periods")));
  throttle.set_throttled_periods(number(at(throttling, "throttledPeriods")));
  throttle.set_throttled_time(number(at(throttling, "throttledTime")));
  const json& memory = at(data, "memory");
  v1::MemoryStat& stat = *metrics.mutable_memory();
  fill_raw(at(memory, "raw"), kRawV1, stat);
  fill_entry(at(memory, "usage"), *stat.mutable_usage());
  fill_entry(at(memory, "swap"), *stat.mutable_swap());
  fill_entry(at(memory, "kernel"), *stat.mutable_kernel());
  fill_entry(at(memory, "kernelTCP"), *stat.mutable_kernel_tcp());
  const json& blkio = at(data, "blkio");
  fill_blkio(at(blkio, "ioServiceBytesRecursive"),
             *metrics.mutable_blkio()->mutable_io_service_bytes_recursive());
  fill_blkio(at(blkio, "ioServicedRecursive"), *metrics.mutable_blkio()->mutable_io_serviced_recursive());
  const json& pages = at(data, "hugetlb");
  for (auto entry = pages.begin(); pages.is_object() && entry != pages.end(); ++entry) {
    v1::HugetlbStat& page = *metrics.add_hugetlb();
    page.set_pagesize(entry.key());
    page.set_usage(number(at(*entry, "usage")));
    page.set_max(number(at(*entry, "max")));
    page.set_failcnt(number(at(*entry, "failcnt")));
  }
  fill_network(at(data, "network_interfaces"), metrics);
  return metrics;
}

void fill_io(const json& list, bool bytes, v2::IOStat& io) {
  for_each(list, [&](const json& element) {
    const uint64_t major = number(at(element, "major"));
    const uint64_t minor = number(at(element, "minor"));
    v2::IOEntry* entry = nullptr;
    for (v2::IOEntry& known : *io.mutable_usage()) {
      if (known.major() == major && known.minor() == minor) entry = &known;
    }
    if (entry == nullptr) {
      entry = io.add_usage();
      entry->set_major(major);
      entry->set_minor(minor);
    }
    const std::string op = text(at(element, "op"));
    const uint64_t value = number(at(element, "value"));
    if (op == "Read" || op == "read") {
      bytes ? entry->set_rbytes(value) : entry->set_rios(value);
    } else if (op == "Write" || op == "write") {
      bytes ? entry->set_wbytes(value) : entry->set_wios(value);
    }
  });
}

v2::Metrics metrics_v2(const json& data) {
  constexpr uint64_t kMicrosecond = 1000;
  v2::Metrics metrics;
  metrics.mutable_pids()->set_current(number(at(at(data, "pids"), "current")));
  metrics.mutable_pids()->set_limit(number(at(at(data, "pids"), "limit")));
  const json& cpu = at(at(data, "cpu"), "usage");
  const json& throttling = at(at(data, "cpu"), "throttling");
  v2::CPUStat& usage = *metrics.mutable_cpu();
  usage.set_usage_usec(number(at(cpu, "total")) / kMicrosecond);
  usage.set_user_usec(number(at(cpu, "user")) / kMicrosecond);
  usage.set_system_usec(number(at(cpu, "kernel")) / kMicrosecond);
  usage.set_nr_periods(number(at(throttling, "periods")));
  usage.set_nr_throttled(number(at(throttling, "throttledPeriods")));
  usage.set_throttled_usec(number(at(throttling, "throttledTime")) / kMicrosecond);
  const json& memory = at(data, "memory");
  v2::MemoryStat& stat = *metrics.mutable_memory();
  fill_raw(at(memory, "raw"), kRawV2, stat);
  stat.set_usage(number(at(at(memory, "usage"), "usage")));
  stat.set_usage_limit(number(at(at(memory, "usage"), "limit")));
  stat.set_swap_usage(number(at(at(memory, "swap"), "usage")));
  stat.set_swap_limit(number(at(at(memory, "swap"), "limit")));
  metrics.mutable_memory_events()->set_max(number(at(at(memory, "usage"), "failcnt")));
  metrics.mutable_memory_events()->set_oom(number(at(memory, "oom")));
  metrics.mutable_memory_events()->set_oom_kill(number(at(memory, "oom_kill")));
  const json& blkio = at(data, "blkio");
  fill_io(at(blkio, "ioServiceBytesRecursive"), true, *metrics.mutable_io());
  fill_io(at(blkio, "ioServicedRecursive"), false, *metrics.mutable_io());
  const json& pages = at(data, "hugetlb");
  for (auto entry = pages.begin(); pages.is_object() && entry != pages.end(); ++entry) {
    v2::HugeTlbStat& page = *metrics.add_hugetlb();
    page.set_pagesize(entry.key());
    page.set_current(number(at(*entry, "usage")));
    page.set_max(number(at(*entry, "max")));
  }
  return metrics;
}

template <typename Message>
wire::Any pack(const Message& message) {
  wire::Any any;
  any.set_type_url(message.GetTypeName());
  any.set_value(message.SerializeAsString());
  return any;
}

}  // namespace

oci::Expected<wire::Any> to_metrics(const std::string& stats, CgroupVersion version) {
  const json document = json::parse(stats, nullptr, false);
  const json& data = at(document, "data");
  if (!data.is_object()) return oci::fail("events --stats: no data");
  if (version == CgroupVersion::two) return pack(metrics_v2(data));
  return pack(metrics_v1(data));
}

}  // namespace runsc::shim
