// /proc/sys/net/ipv{4,6}/{conf,neigh}: a directory for each interface, for what new ones start with, and for
// all.
#include "kernel/namespaces.h"
#include "kernel/proc/proc.h"
#include "net/inet/stack.h"

namespace runsc::kernel::proc {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint8_t kDtDir = 4, kDtReg = 8;
using net::InterfaceSettings;
using net::SettingRow;

net::Stack& stack() { return Task::current().namespaces().net().inet(); }

struct Kind {
  bool v6, neighbours;
  std::span<const SettingRow> rows() const {
    return neighbours ? net::neighbour_rows(v6) : net::conf_rows(v6);
  }
};

enum class Whose : uint8_t { all, defaults, one };

// A file. What it is of is looked up each time: an interface may have gone.
class SettingText final : public fs::TextNode {
 public:
  SettingText(fs::PseudoSuper& super, const SettingRow& row, Whose whose, uint32_t index)
      : TextNode(super, fs::kRegular | 0644), row_(row), whose_(whose), index_(index) {}

  Result<void> show(TextSink& out) override {
    Ref<net::Interface> keep;
    const uint32_t value = row_.of(*TRY(settings(keep))).load(kRelaxed);
    if (row_.negative)
      format(out, "{}\n", static_cast<int32_t>(value));
    else
      format(out, "{}\n", value / row_.unit);
    return {};
  }

  Result<void> store(std::string_view text) override {
    text = fs::trimmed(text);
    const bool negative = row_.negative && text == "-1";
    const uint64_t value = negative ? 0 : TRY(fs::parse_decimal(text));
    if (value < row_.least || value > row_.most) return Errno::inval;
    Ref<net::Interface> keep;
    InterfaceSettings& s = *TRY(settings(keep));
    net::Setting& field = row_.of(s);
    if (&field == &s.disable_ipv6) return switch_ipv6(value == 0, keep);
    field.store(negative ? ~0u : static_cast<uint32_t>(value) * row_.unit, kRelaxed);
    return {};
  }

 private:
  Result<InterfaceSettings*> settings(Ref<net::Interface>& keep) const {
    if (whose_ == Whose::all) return &stack().settings.all;
    if (whose_ == Whose::defaults) return &stack().settings.defaults;
    keep = stack().config.interface(index_);
    if (!keep) return Errno::noent;
    return &keep->settings;
  }
  // What is said of all is said of each, and of those to come.
  Result<void> switch_ipv6(bool on, const Ref<net::Interface>& one) const {
    net::Stack& s = stack();
    const uint32_t off = !on;
    if (whose_ == Whose::one) {
      s.config.switch_ipv6(*one, on);
      return {};
    }
    s.settings.defaults.disable_ipv6.store(off, kRelaxed);
    if (whose_ == Whose::defaults) return {};
    s.settings.all.disable_ipv6.store(off, kRelaxed);
    Vec<Ref<net::Interface>> links;
    TRY(s.config.list_interfaces(links));
    for (const Ref<net::Interface>& i : links) s.config.switch_ipv6(*i, on);
    return {};
  }

  const SettingRow& row_;
  const Whose whose_;
  const uint32_t index_;
};

class OneDir final : public fs::DirNode {
 public:
  OneDir(fs::PseudoSuper& super, Kind kind, Whose whose, uint32_t index)
      : DirNode(super, fs::kDirectory | 0555), kind_(kind), whose_(whose), index_(index) {}
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    for (const SettingRow& row : kind_.rows()) {
      if (row.name != name) continue;
      Ref<fs::Inode> node = make_ref<SettingText>(pseudo(), row, whose_, index_);
      if (!node) return Errno::nomem;
      return node;
    }
    return Errno::noent;
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    for (; offset < kind_.rows().size(); ++offset)
      if (!sink.add(kind_.rows()[offset].name, 0, kDtReg, offset + 1)) break;
    return offset;
  }

 private:
  const Kind kind_;
  const Whose whose_;
  const uint32_t index_;
};

class AllDir final : public fs::DirNode {
 public:
  AllDir(fs::PseudoSuper& super, Kind kind) : DirNode(super, fs::kDirectory | 0555), kind_(kind) {}
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    // Only the first namespace of a machine says how neighbours start.
    if (name == "default" && !kind_.neighbours) return make(Whose::defaults, 0);
    if (name == "all" && !kind_.neighbours) return make(Whose::all, 0);
    Ref<net::Interface> i = stack().config.interface(name);
    if (!i) return Errno::noent;
    return make(Whose::one, i->index());
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    constexpr uint64_t kFirst = 2;
    if (offset == 0 && (kind_.neighbours || sink.add("all", 0, kDtDir, 1))) ++offset;
    if (offset == 1 && (kind_.neighbours || sink.add("default", 0, kDtDir, kFirst))) ++offset;
    if (offset < kFirst) return offset;
    Vec<Ref<net::Interface>> links;
    TRY(stack().config.list_interfaces(links));
    for (; offset - kFirst < links.size(); ++offset)
      if (!sink.add(links[offset - kFirst]->name(), 0, kDtDir, offset + 1)) break;
    return offset;
  }

 private:
  Result<Ref<fs::Inode>> make(Whose whose, uint32_t index) {
    Ref<fs::Inode> dir = make_ref<OneDir>(pseudo(), kind_, whose, index);
    if (!dir) return Errno::nomem;
    return dir;
  }
  const Kind kind_;
};

}  // namespace

Result<Ref<fs::Inode>> make_link_settings(fs::PseudoSuper& super, bool v6, bool neighbours) {
  Ref<fs::Inode> dir = make_ref<AllDir>(super, Kind{v6, neighbours});
  if (!dir) return Errno::nomem;
  return dir;
}

}  // namespace runsc::kernel::proc
