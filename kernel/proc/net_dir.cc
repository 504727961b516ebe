// /proc/PID/net: the network namespace of a process (proc(5)).
#include "kernel/namespaces.h"
#include "kernel/proc/proc.h"
#include "net/proc_text.h"
#include "net/tcp/tcp_table.h"

namespace runsc::kernel::proc {

namespace {

constexpr uint8_t kDtReg = 8;

using NetShow = Result<void> (*)(net::NetworkNamespace& net, TextSink& out);

Result<void> show_unix(net::NetworkNamespace& net, TextSink& out) {
  out.write("Num       RefCount Protocol Flags    Type St Inode Path\n");
  return net.local_sockets.describe(out);
}

template <bool V6>
Result<void> show_tcp(net::NetworkNamespace& net, TextSink& out) {
  return net::tcp_describe(net.inet(), V6, out);
}

struct NetRow {
  std::string_view name;
  NetShow show;
};
constexpr NetRow kRows[] = {
    {"arp", net::show_arp},
    {"dev", net::show_dev},
    {"icmp", net::show_icmp},
    {"icmp6", net::show_icmp6},
    {"igmp", net::show_igmp},
    {"igmp6", net::show_igmp6},
    {"if_inet6", net::show_if_inet6},
    {"ipv6_route", net::show_ipv6_route},
    {"netlink", net::show_netlink},
    {"packet", net::show_packet},
    {"raw", net::show_raw},
    {"raw6", net::show_raw6},
    {"route", net::show_route},
    {"snmp", net::show_snmp},
    {"snmp6", net::show_snmp6},
    {"sockstat", net::show_sockstat},
    {"sockstat6", net::show_sockstat6},
    {"tcp", show_tcp<false>},
    {"tcp6", show_tcp<true>},
    {"udp", net::show_udp},
    {"udp6", net::show_udp6},
    {"unix", show_unix},
};

class NetText final : public fs::TextNode {
 public:
  NetText(fs::PseudoSuper& super, Ref<net::NetworkNamespace> net, NetShow show)
      : TextNode(super, fs::kRegular | 0444), net_(std::move(net)), show_(show) {}
  Result<void> show(TextSink& out) override { return show_(*net_, out); }

 private:
  const Ref<net::NetworkNamespace> net_;
  const NetShow show_;
};

class NetDir final : public fs::DirNode {
 public:
  NetDir(fs::PseudoSuper& super, Ref<net::NetworkNamespace> net)
      : DirNode(super, fs::kDirectory | 0555), net_(std::move(net)) {}
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    for (const NetRow& row : kRows) {
      if (row.name != name) continue;
      Ref<fs::Inode> node = make_ref<NetText>(pseudo(), net_, row.show);
      if (!node) return Errno::nomem;
      return node;
    }
    return Errno::noent;
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    for (; offset < std::size(kRows); ++offset)
      if (!sink.add(kRows[offset].name, 0, kDtReg, offset + 1)) break;
    return offset;
  }

 private:
  const Ref<net::NetworkNamespace> net_;
};

}  // namespace

Result<Ref<fs::Inode>> make_net_dir(fs::PseudoSuper& super, Task& task) {
  Ref<Namespaces> set = task.namespaces_ref();
  if (!set) return Errno::noent;  // it has ended
  Ref<fs::Inode> node = make_ref<NetDir>(super, Ref<net::NetworkNamespace>(set->net()));
  if (!node) return Errno::nomem;
  return node;
}

}  // namespace runsc::kernel::proc
