// /proc/PID/uid_map, gid_map, projid_map and setgroups (user_namespaces(7)).
#include "fs/user_namespace.h"
#include "kernel/proc/task_files.h"

namespace runsc::kernel::proc {

namespace {

using fs::Cap;
using fs::IdMap;
using fs::UserNamespace;

struct MapKind {
  std::string_view name;
  IdMap UserNamespace::*map;
};
constexpr MapKind kUsers{"uid_map", &UserNamespace::users}, kGroups{"gid_map", &UserNamespace::groups},
    kProjects{"projid_map", &UserNamespace::projects};
constexpr const MapKind* kKinds[] = {&kUsers, &kGroups, &kProjects};
constexpr std::string_view kSetgroups = "setgroups";

// ---- Text

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

void skip_spaces(std::string_view& text) {
  while (!text.empty() && is_space(text[0])) text.remove_prefix(1);
}

// A number and the space behind it, if `space`. EINVAL.
Result<uint32_t> take_number(std::string_view& line) {
  skip_spaces(line);
  uint64_t value = 0;
  size_t digits = 0;
  for (; !line.empty() && line[0] >= '0' && line[0] <= '9'; line.remove_prefix(1), ++digits)
    value = (value * 10 + static_cast<uint64_t>(line[0] - '0')) & ~uint32_t{0};
  if (digits == 0 || (!line.empty() && !is_space(line[0]))) return Errno::inval;
  return static_cast<uint32_t>(value);
}

bool overlap(uint32_t a, uint32_t b, uint32_t a_count, uint32_t b_count) {
  return a <= b ? b - a < a_count : a - b < b_count;
}

Result<IdMap::Extent> parse_line(std::string_view line) {
  IdMap::Extent e;
  e.first = TRY(take_number(line));
  if (line.empty()) return Errno::inval;
  e.lower = TRY(take_number(line));
  if (line.empty()) return Errno::inval;
  e.count = TRY(take_number(line));
  skip_spaces(line);
  if (!line.empty() || e.first == fs::kNoId || e.lower == fs::kNoId) return Errno::inval;
  if (e.first + e.count <= e.first || e.lower + e.count <= e.lower) return Errno::inval;
  return e;
}

// As it is written: `lower` counts in the namespace above.
Result<Vec<IdMap::Extent>> parse_map(std::string_view text) {
  constexpr size_t kPage = 4096;
  if (text.size() >= kPage) return Errno::inval;
  Vec<IdMap::Extent> extents;
  text = text.substr(0, text.find('\0'));
  for (bool more = true; more;) {
    const size_t end = text.find('\n');
    const IdMap::Extent e = TRY(parse_line(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    more = !text.empty();
    for (const IdMap::Extent& other : extents)
      if (overlap(e.first, other.first, e.count, other.count) ||
          overlap(e.lower, other.lower, e.count, other.count))
        return Errno::inval;
    TRY(extents.push_back(e));
    if (extents.size() == IdMap::kMaxExtents && more) return Errno::inval;
  }
  return extents;
}

// ---- Who may set it

// Root above becomes somebody here only by those who could give capabilities of its to files.
bool may_map_root(const UserNamespace& ns, const fs::Credentials& opener,
                  std::span<const IdMap::Extent> map) {
  bool maps_root = false;
  for (const IdMap::Extent& e : map) maps_root |= e.lower == 0;
  if (!maps_root) return true;
  if (opener.user_ns.get() == &ns) return ns.parent_could_setfcap();
  return fs::is_capable(opener, ns.parent(), Cap::setfcap);
}

// The one number of who made the namespace, mapped by its maker.
bool maps_own_number(const UserNamespace& ns, const MapKind& kind, const fs::Credentials& opener,
                     std::span<const IdMap::Extent> map) {
  if (map.size() != 1 || map[0].count != 1 || ns.owner_uid() != opener.euid) return false;
  if (&kind == &kUsers) return fs::global_uid(ns.parent(), map[0].lower) == opener.euid;
  return &kind == &kGroups && !ns.setgroups_allowed.load() &&
         fs::global_gid(ns.parent(), map[0].lower) == opener.egid;
}

bool may_set(const UserNamespace& ns, const MapKind& kind, const fs::Credentials& opener,
             std::span<const IdMap::Extent> map) {
  if (&kind == &kUsers && !may_map_root(ns, opener, map)) return false;
  if (&kind == &kProjects || maps_own_number(ns, kind, opener, map)) return true;
  const Cap cap = &kind == &kUsers ? Cap::setuid : Cap::setgid;
  return fs::is_capable(Task::current().creds(), ns.parent(), cap) &&
         fs::is_capable(opener, ns.parent(), cap);
}

Result<void> set_map(UserNamespace& ns, const MapKind& kind, const fs::Credentials& opener,
                     std::string_view text) {
  if (opener.user_ns.get() != &ns && opener.user_ns.get() != ns.parent()) return Errno::perm;
  IdMap& map = ns.*kind.map;
  LockGuard guard(ns.lock);
  if (!map.empty()) return Errno::perm;
  if (&kind != &kProjects && !fs::is_capable(opener, &ns, Cap::sys_admin)) return Errno::perm;
  Vec<IdMap::Extent> extents = TRY(parse_map(text));
  if (!may_set(ns, kind, opener, extents.span())) return Errno::perm;
  for (IdMap::Extent& e : extents) {
    if (!ns.parent()) continue;
    e.lower = (ns.parent()->*kind.map).to_global(e.lower, e.count);
    if (e.lower == fs::kNoId) return Errno::perm;
  }
  return map.set(std::move(extents));
}

Result<void> set_setgroups(UserNamespace& ns, std::string_view text) {
  constexpr size_t kMost = 8;
  if (text.size() >= kMost) return Errno::inval;
  const bool allow = text.starts_with("allow"), deny = text.starts_with("deny");
  std::string_view rest = text.substr(allow ? 5 : deny ? 4 : 0);
  if (!allow && !deny) return Errno::inval;
  skip_spaces(rest);
  if (!rest.empty()) return Errno::inval;
  LockGuard guard(ns.lock);
  if (allow) return ns.setgroups_allowed.load() ? Result<void>() : Errno::perm;
  if (!ns.groups.empty()) return Errno::perm;
  ns.setgroups_allowed.store(false);
  return {};
}

// ---- Nodes

// Who opened it counts as much as who writes: the file found by its name is one more, made for its opener.
class IdMapText final : public fs::TextNode {
 public:
  IdMapText(fs::PseudoSuper& super, Ref<Task> task, const MapKind* kind, Ref<fs::Credentials> opener)
      : TextNode(super, fs::kRegular | 0644),
        task_(std::move(task)),
        kind_(kind),
        opener_(std::move(opener)) {}

  Result<Ref<fs::File>> open(uint32_t flags) override {
    if (opener_) return TextNode::open(flags);
    const bool writes = (flags & fs::open_flag::accmode) != fs::open_flag::rdonly;
    Ref<fs::Credentials> target = task_->creds_ref();
    if (!target) return Errno::acces;
    if (!kind_ && writes && !fs::is_capable(Task::current().creds(), target->user_ns.get(), Cap::sys_admin))
      return Errno::acces;
    Ref<IdMapText> fresh = make_ref<IdMapText>(pseudo(), task_, kind_, Task::current().creds_ref());
    if (!fresh) return Errno::nomem;
    fresh->set_owner(uid_, gid_);
    fresh->ns_ = target->user_ns;
    return fresh->open(flags);
  }

  Result<void> show(TextSink& out) override {
    if (!kind_) {
      out.write(!ns_ || ns_->setgroups_allowed.load(std::memory_order_relaxed) ? "allow\n" : "deny\n");
      return {};
    }
    if (!ns_) {
      out.write("         0          0 4294967295\n");
      return {};
    }
    // As the reader calls what is below; in the namespace itself, as the one above does.
    const UserNamespace* viewer = opener_->user_ns.get();
    if (viewer == ns_.get()) viewer = ns_->parent();
    for (const IdMap::Extent& e : (*ns_.*kind_->map).extents())
      format(out, "{:10} {:10} {:10}\n", e.first,
             viewer ? (viewer->*kind_->map).from_global(e.lower) : e.lower, e.count);
    return {};
  }

  Result<void> store(std::string_view text) override {
    if (!kind_) {
      if (ns_) return set_setgroups(*ns_, text);
      return text.starts_with("allow") ? Result<void>() : Errno::perm;
    }
    if (!ns_) return Errno::perm;
    return set_map(*ns_, *kind_, *opener_, text);
  }

 private:
  const Ref<Task> task_;
  const MapKind* const kind_;  // null: setgroups
  const Ref<fs::Credentials> opener_;
  Ref<UserNamespace> ns_;  // with an opener
};

}  // namespace

bool is_id_map(std::string_view name) {
  for (const MapKind* kind : kKinds)
    if (kind->name == name) return true;
  return name == kSetgroups;
}

Ref<fs::Inode> make_id_map_node(fs::PseudoSuper& super, Ref<Task> task, std::string_view name) {
  const MapKind* found = nullptr;
  for (const MapKind* kind : kKinds)
    if (kind->name == name) found = kind;
  return make_ref<IdMapText>(super, std::move(task), found, Ref<fs::Credentials>());
}

}  // namespace runsc::kernel::proc
