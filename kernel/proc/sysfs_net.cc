// /sys/class/net and /sys/devices/virtual/net (sysfs(5)): the interfaces of whoever looks.
#include "kernel/namespaces.h"
#include "kernel/proc/proc.h"
#include "net/inet/stack.h"

namespace runsc::kernel::proc {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint8_t kDtDir = 4, kDtReg = 8, kDtLnk = 10;
using net::Interface;

net::NetConfig& config() { return Task::current().namespaces().net().inet().config; }

using Show = void (*)(const Interface& i, TextSink& out);
struct Row {
  std::string_view name;
  Show show;
};

void print_mac(std::span<const std::byte> bytes, TextSink& out) {
  for (size_t k = 0; k < bytes.size(); ++k)
    format(out, "{}{:02x}", k ? std::string_view(":") : std::string_view(), static_cast<uint32_t>(bytes[k]));
  out.write("\n");
}
void show_address(const Interface& i, TextSink& out) { print_mac(i.hardware_address(), out); }
void show_broadcast(const Interface& i, TextSink& out) {
  std::byte all[Interface::kHardwareMax] = {};
  if (!i.is_loopback()) __builtin_memset(all, 0xff, sizeof all);
  print_mac(std::span<const std::byte>(all).first(i.hardware_address().size()), out);
}
void show_state(const Interface& i, TextSink& out) {
  out.write(!i.up() ? "down\n" : i.is_loopback() ? "unknown\n" : "up\n");
}
void show_flags(const Interface& i, TextSink& out) {
  // Those that have room in a short.
  format(out, "0x{:x}\n", i.flags() & 0xffff & ~(net::interface_flag::running));
}
template <uint64_t N>
void number(const Interface&, TextSink& out) {
  format(out, "{}\n", N);
}
void blank(const Interface&, TextSink& out) { out.write("\n"); }

constexpr Row kRows[] = {
    {"addr_assign_type", number<0>},
    {"addr_len", [](const Interface& i, TextSink& out) { format(out, "{}\n", i.hardware_address().size()); }},
    {"address", show_address},
    {"broadcast", show_broadcast},
    {"carrier", number<1>},
    {"dev_id", [](const Interface&, TextSink& out) { out.write("0x0\n"); }},
    {"dev_port", number<0>},
    {"dormant", number<0>},
    {"flags", show_flags},
    {"group", number<0>},
    {"ifalias", blank},
    {"ifindex", [](const Interface& i, TextSink& out) { format(out, "{}\n", i.index()); }},
    {"iflink", [](const Interface& i, TextSink& out) { format(out, "{}\n", i.index()); }},
    {"link_mode", number<0>},
    {"mtu", [](const Interface& i, TextSink& out) { format(out, "{}\n", i.mtu()); }},
    {"name_assign_type", number<4>},
    {"operstate", show_state},
    {"tx_queue_len", [](const Interface& i, TextSink& out) { format(out, "{}\n", i.queue_length()); }},
    {"type", [](const Interface& i, TextSink& out) { format(out, "{}\n", i.hardware_type()); }},
    {"uevent", [](const Interface& i,
                  TextSink& out) { format(out, "INTERFACE={}\nIFINDEX={}\n", i.name(), i.index()); }},
};

template <auto Counters, auto Field>
void counter(const Interface& i, TextSink& out) {
  format(out, "{}\n", (i.*Counters.*Field).load(kRelaxed));
}
constexpr auto kIn = &Interface::received;
constexpr auto kOut = &Interface::sent;
using Counts = net::InterfaceCounters;
constexpr Row kStatistics[] = {
    {"collisions", number<0>},
    {"multicast",
     [](const Interface& i, TextSink& out) { format(out, "{}\n", i.multicast_received.load(kRelaxed)); }},
    {"rx_bytes", counter<kIn, &Counts::bytes>},
    {"rx_dropped", counter<kIn, &Counts::dropped>},
    {"rx_errors", counter<kIn, &Counts::errors>},
    {"rx_packets", counter<kIn, &Counts::packets>},
    {"tx_bytes", counter<kOut, &Counts::bytes>},
    {"tx_dropped", counter<kOut, &Counts::dropped>},
    {"tx_errors", counter<kOut, &Counts::errors>},
    {"tx_packets", counter<kOut, &Counts::packets>},
};

class LinkText final : public fs::TextNode {
 public:
  LinkText(fs::PseudoSuper& super, Ref<Interface> i, Show show)
      : TextNode(super, fs::kRegular | 0444), interface_(std::move(i)), show_(show) {}
  Result<void> show(TextSink& out) override {
    show_(*interface_, out);
    return {};
  }

 private:
  const Ref<Interface> interface_;
  const Show show_;
};

// /sys/devices/virtual/net/IF, or its statistics.
class LinkDir final : public fs::DirNode {
 public:
  LinkDir(fs::PseudoSuper& super, Ref<Interface> i, bool statistics)
      : DirNode(super, fs::kDirectory | 0755), interface_(std::move(i)), statistics_(statistics) {}
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    Ref<fs::Inode> node;
    for (const Row& row : rows())
      if (row.name == name) node = make_ref<LinkText>(pseudo(), interface_, row.show);
    if (!statistics_ && name == "statistics") node = make_ref<LinkDir>(pseudo(), interface_, true);
    if (!node) return Errno::noent;
    return node;
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    for (; offset < rows().size(); ++offset)
      if (!sink.add(rows()[offset].name, 0, kDtReg, offset + 1)) return offset;
    if (!statistics_ && offset == rows().size() && sink.add("statistics", 0, kDtDir, offset + 1)) ++offset;
    return offset;
  }

 private:
  std::span<const Row> rows() const {
    return statistics_ ? std::span<const Row>(kStatistics) : std::span<const Row>(kRows);
  }
  const Ref<Interface> interface_;
  const bool statistics_;
};

class ClassLink final : public fs::LinkNode {
 public:
  ClassLink(fs::PseudoSuper& super, Ref<Interface> i) : LinkNode(super), interface_(std::move(i)) {}
  Result<String> read_link() override {
    return String::concat("../../devices/virtual/net/", interface_->name());
  }

 private:
  const Ref<Interface> interface_;
};

// All of them: links in /sys/class/net, directories in /sys/devices/virtual/net.
class LinksDir final : public fs::DirNode {
 public:
  LinksDir(fs::PseudoSuper& super, bool links) : DirNode(super, fs::kDirectory | 0755), links_(links) {}
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    Ref<Interface> i = config().interface(name);
    if (!i) return Errno::noent;
    Ref<fs::Inode> node;
    if (links_)
      node = make_ref<ClassLink>(pseudo(), std::move(i));
    else
      node = make_ref<LinkDir>(pseudo(), std::move(i), false);
    if (!node) return Errno::nomem;
    return node;
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    Vec<Ref<Interface>> all;
    TRY(config().list_interfaces(all));
    for (; offset < all.size(); ++offset)
      if (!sink.add(all[offset]->name(), 0, links_ ? kDtLnk : kDtDir, offset + 1)) break;
    return offset;
  }

 private:
  const bool links_;
};

}  // namespace

Result<Ref<fs::Inode>> make_net_class(fs::PseudoSuper& super, bool links) {
  Ref<fs::Inode> dir = make_ref<LinksDir>(super, links);
  if (!dir) return Errno::nomem;
  return dir;
}

}  // namespace runsc::kernel::proc
