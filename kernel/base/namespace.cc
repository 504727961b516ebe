#include "kernel/base/namespace.h"

namespace runsc {

namespace {

constexpr uint32_t kFirstDynamic = 4026532176;
// Of the first user namespace nothing is made: it is what no reference stands for.
constinit std::atomic<uint32_t> g_made{static_cast<uint32_t>(NamespaceKind::user)}, g_next{0};

// The first of a kind has the number that Linux's first one has.
uint32_t first_number(NamespaceKind kind) {
  switch (kind) {
    case NamespaceKind::mount:
      return 4026531841;
    case NamespaceKind::uts:
      return 4026531838;
    case NamespaceKind::ipc:
      return 4026531839;
    case NamespaceKind::net:
      return 4026531840;
    case NamespaceKind::pid:
      return 4026531836;
    case NamespaceKind::cgroup:
      return 4026531835;
    case NamespaceKind::time:
      return 4026531834;
    case NamespaceKind::user:
      return 4026531837;
  }
  return 0;
}

uint32_t fresh_number(NamespaceKind kind) {
  const auto bit = static_cast<uint32_t>(kind);
  if (!(g_made.fetch_or(bit, std::memory_order_relaxed) & bit)) return first_number(kind);
  // Comes round after many millions.
  return kFirstDynamic + g_next.fetch_add(1, std::memory_order_relaxed) % (~uint32_t{0} - kFirstDynamic);
}

}  // namespace

Namespace::Namespace(NamespaceKind kind) : kind_(kind), inode_number_(fresh_number(kind)) {}

}  // namespace runsc
