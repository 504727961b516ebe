// /proc/sys/net: of the network namespace of whoever reads or writes.
#include "kernel/namespaces.h"
#include "kernel/proc/proc.h"
#include "net/inet/stack.h"
#include "net/tcp/tcp_info.h"

namespace runsc::kernel::proc {

namespace {

using fs::static_dir;
using fs::static_text;
using fs::StaticEntry;
using net::InetSettings;
using net::TcpSettings;

constexpr auto kRelaxed = std::memory_order_relaxed;

InetSettings& inet() { return Task::current().namespaces().net().inet().settings; }
TcpSettings& tcp() { return inet().tcp; }

template <uint64_t N>
Result<void> number(TextSink& out) {
  format(out, "{}\n", N);
  return {};
}

// The next number of a line, and what stands behind it. EINVAL.
Result<uint32_t> take_number(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  size_t n = 0;
  while (n < text.size() && text[n] >= '0' && text[n] <= '9') ++n;
  const uint64_t value = TRY(fs::parse_decimal(text.substr(0, n)));
  if (value > 0x7fffffff) return Errno::inval;
  text.remove_prefix(n);
  return static_cast<uint32_t>(value);
}

// One of the settings of TCP, from Least to Most.
template <auto Field>
Result<void> show_tcp(TextSink& out) {
  format(out, "{}\n", (tcp().*Field).load(kRelaxed));
  return {};
}
template <auto Field, uint32_t Least, uint32_t Most>
Result<void> store_tcp(std::string_view text) {
  const uint32_t value = TRY(take_number(text));
  if (value < Least || value > Most) return Errno::inval;
  (tcp().*Field).store(value, kRelaxed);
  return {};
}
template <auto Field, uint32_t Least = 0, uint32_t Most = 0x7fffffff>
constexpr StaticEntry tcp_row(std::string_view name) {
  return static_text(name, show_tcp<Field>, 0644, store_tcp<Field, Least, Most>);
}

// The same of IP's.
template <auto Field>
Result<void> show_inet(TextSink& out) {
  format(out, "{}\n", (inet().*Field).load(kRelaxed));
  return {};
}
template <auto Field, uint32_t Least, uint32_t Most>
Result<void> store_inet(std::string_view text) {
  const uint32_t value = TRY(take_number(text));
  if (value < Least || value > Most) return Errno::inval;
  (inet().*Field).store(value, kRelaxed);
  return {};
}
template <auto Field, uint32_t Least = 0, uint32_t Most = 1>
constexpr StaticEntry inet_row(std::string_view name) {
  return static_text(name, show_inet<Field>, 0644, store_inet<Field, Least, Most>);
}

// Three sizes: least, default, most.
template <auto Field>
Result<void> show_sizes(TextSink& out) {
  auto& sizes = tcp().*Field;
  format(out, "{}\t{}\t{}\n", sizes[0].load(kRelaxed), sizes[1].load(kRelaxed), sizes[2].load(kRelaxed));
  return {};
}
template <auto Field>
Result<void> store_sizes(std::string_view text) {
  text = fs::trimmed(text);
  for (size_t i = 0; i < 3 && !text.empty(); ++i) {
    const uint32_t value = TRY(take_number(text));
    if (value == 0) return Errno::inval;
    (tcp().*Field)[i].store(value, kRelaxed);
  }
  return {};
}

Result<void> show_congestion(TextSink& out) {
  format(out, "{}\n",
         net::tcp_algorithm_name(static_cast<net::tcp::Algorithm>(tcp().congestion.load(kRelaxed))));
  return {};
}
Result<void> store_congestion(std::string_view text) {
  const net::tcp::Algorithm a = TRY(net::tcp_algorithm(fs::trimmed(text)));
  tcp().congestion.store(static_cast<uint32_t>(a), kRelaxed);
  return {};
}
Result<void> show_algorithms(TextSink& out) {
  out.write("reno cubic\n");
  return {};
}

Result<void> show_port_range(TextSink& out) {
  format(out, "{}\t{}\n", inet().port_low.load(kRelaxed), inet().port_high.load(kRelaxed));
  return {};
}
Result<void> store_port_range(std::string_view text) {
  text = fs::trimmed(text);
  const uint32_t low = TRY(take_number(text)), high = TRY(take_number(text));
  if (low == 0 || low > high || high > 65535) return Errno::inval;
  inet().port_low.store(low, kRelaxed);
  inet().port_high.store(high, kRelaxed);
  return {};
}
// low > high: nobody.
Result<void> show_ping_groups(TextSink& out) {
  format(out, "{}\t{}\n", inet().ping_group_low.load(kRelaxed), inet().ping_group_high.load(kRelaxed));
  return {};
}
Result<void> store_ping_groups(std::string_view text) {
  text = fs::trimmed(text);
  const uint32_t low = TRY(take_number(text)), high = TRY(take_number(text));
  inet().ping_group_low.store(low, kRelaxed);
  inet().ping_group_high.store(high, kRelaxed);
  return {};
}
constexpr StaticEntry kCore[] = {
    static_text("optmem_max", number<131072>),   static_text("rmem_default", number<212992>),
    static_text("rmem_max", number<212992>),     tcp_row<&TcpSettings::somaxconn>("somaxconn"),
    static_text("wmem_default", number<212992>), static_text("wmem_max", number<212992>),
};
constexpr StaticEntry kUnix[] = {
    static_text("max_dgram_qlen", number<10>),
};
template <bool V6, bool Neighbours>
Result<Ref<fs::Inode>> make_links(fs::PseudoSuper& super) {
  return make_link_settings(super, V6, Neighbours);
}
template <bool V6, bool Neighbours>
constexpr StaticEntry links_dir() {
  constexpr uint8_t kDtDir = 4;
  StaticEntry e;
  e.name = Neighbours ? "neigh" : "conf";
  e.mode = 0555;
  e.make = make_links<V6, Neighbours>;
  e.make_type = kDtDir;
  return e;
}
constexpr StaticEntry kIpv4[] = {
    links_dir<false, false>(),
    inet_row<&InetSettings::echo_ignore_all>("icmp_echo_ignore_all"),
    inet_row<&InetSettings::echo_ignore_broadcasts>("icmp_echo_ignore_broadcasts"),
    inet_row<&InetSettings::default_ttl, 1, 255>("ip_default_ttl"),
    static_text("ip_forward", number<0>),
    static_text("ip_local_port_range", show_port_range, 0644, store_port_range),
    inet_row<&InetSettings::nonlocal_bind>("ip_nonlocal_bind"),
    links_dir<false, true>(),
    inet_row<&InetSettings::unprivileged_port, 0, 65535>("ip_unprivileged_port_start"),
    static_text("ping_group_range", show_ping_groups, 0644, store_ping_groups),
    static_text("tcp_available_congestion_control", show_algorithms),
    static_text("tcp_congestion_control", show_congestion, 0644, store_congestion),
    tcp_row<&TcpSettings::fin_timeout>("tcp_fin_timeout"),
    tcp_row<&TcpSettings::keepalive_interval, 1, 32767>("tcp_keepalive_intvl"),
    tcp_row<&TcpSettings::keepalive_probes, 1, 127>("tcp_keepalive_probes"),
    tcp_row<&TcpSettings::keepalive_time, 1, 32767>("tcp_keepalive_time"),
    tcp_row<&TcpSettings::max_syn_backlog>("tcp_max_syn_backlog"),
    tcp_row<&TcpSettings::max_tw_buckets>("tcp_max_tw_buckets"),
    tcp_row<&TcpSettings::moderate_receive, 0, 1>("tcp_moderate_rcvbuf"),
    tcp_row<&TcpSettings::orphan_retries, 0, 255>("tcp_orphan_retries"),
    tcp_row<&TcpSettings::retries2, 0, 255>("tcp_retries2"),
    tcp_row<&TcpSettings::rfc1337, 0, 1>("tcp_rfc1337"),
    static_text("tcp_rmem", show_sizes<&TcpSettings::receive_memory>, 0644,
                store_sizes<&TcpSettings::receive_memory>),
    tcp_row<&TcpSettings::sack, 0, 1>("tcp_sack"),
    tcp_row<&TcpSettings::syn_retries, 1, 127>("tcp_syn_retries"),
    tcp_row<&TcpSettings::synack_retries, 0, 255>("tcp_synack_retries"),
    tcp_row<&TcpSettings::syncookies, 0, 2>("tcp_syncookies"),
    tcp_row<&TcpSettings::timestamps, 0, 2>("tcp_timestamps"),
    tcp_row<&TcpSettings::tw_reuse, 0, 2>("tcp_tw_reuse"),
    tcp_row<&TcpSettings::window_scaling, 0, 1>("tcp_window_scaling"),
    static_text("tcp_wmem", show_sizes<&TcpSettings::send_memory>, 0644,
                store_sizes<&TcpSettings::send_memory>),
};
constexpr StaticEntry kIpv6[] = {
    inet_row<&InetSettings::bindv6only>("bindv6only"),
    links_dir<true, false>(),
    links_dir<true, true>(),
};
constexpr StaticEntry kNet[] = {
    static_dir("core", kCore),
    static_dir("ipv4", kIpv4),
    static_dir("ipv6", kIpv6),
    static_dir("unix", kUnix),
};

}  // namespace

Result<Ref<fs::Inode>> make_sysctl_net(fs::PseudoSuper& super) {
  Ref<fs::Inode> dir = make_ref<fs::StaticDir>(super, std::span(kNet));
  if (!dir) return Errno::nomem;
  return dir;
}

}  // namespace runsc::kernel::proc
