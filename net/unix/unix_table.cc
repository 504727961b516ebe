#include "net/unix/unix_table.h"

#include "net/unix/unix_endpoint.h"

namespace runsc::net {

bool UnixTable::Less::operator()(const UnixTableEntry& a, const UnixTableEntry& b) const {
  if (a.listed_type() != b.listed_type()) return a.listed_type() < b.listed_type();
  return a.listed_name->text() < b.listed_name->text();
}

void UnixTable::add(UnixTableEntry& entry) {
  LockGuard guard(lock_);
  all_.push_back(entry);
}

void UnixTable::remove(UnixTableEntry& entry) {
  LockGuard guard(lock_);
  if (entry.UnixAllHook::is_linked()) all_.erase(all_.iterator_to(entry));
  if (entry.UnixNameHook::is_linked()) names_.erase(names_.iterator_to(entry));
  entry.listed_name = nullptr;
}

Result<void> UnixTable::insert_locked(UnixTableEntry& entry, const UnixName& name) {
  entry.listed_name = &name;
  if (names_.insert(entry).second) return {};
  entry.listed_name = nullptr;
  return Errno::addrinuse;
}

Ref<UnixEndpoint> UnixTable::find(int type, const UnixName& name) {
  struct Key {
    int type;
    std::string_view text;
  } key{type, name.text()};
  struct KeyLess {
    bool operator()(const UnixTableEntry& a, const Key& k) const {
      return a.listed_type() != k.type ? a.listed_type() < k.type : a.listed_name->text() < k.text;
    }
    bool operator()(const Key& k, const UnixTableEntry& a) const {
      return a.listed_type() != k.type ? k.type < a.listed_type() : k.text < a.listed_name->text();
    }
  };
  LockGuard guard(lock_);
  auto it = names_.find(key, KeyLess{});
  if (it == names_.end()) return {};
  UnixEndpoint& endpoint = it->listed_endpoint();
  if (!endpoint.try_ref()) return {};
  return Ref<UnixEndpoint>::adopt(&endpoint);
}

Result<void> UnixTable::list(Vec<Ref<UnixEndpoint>>& out) {
  size_t room = 0;
  for (;;) {
    TRY(out.reserve(room));
    LockGuard guard(lock_);
    if (all_.size() > room) {
      room = all_.size() + 16;
      continue;
    }
    for (UnixTableEntry& entry : all_) {
      UnixEndpoint& endpoint = entry.listed_endpoint();
      if (endpoint.try_ref()) (void)out.push_back(Ref<UnixEndpoint>::adopt(&endpoint));
    }
    return {};
  }
}

Result<void> UnixTable::describe(TextSink& out) {
  Vec<Ref<UnixEndpoint>> sockets;
  TRY(list(sockets));
  for (Ref<UnixEndpoint>& socket : sockets) socket->describe(out);
  return {};
}

}  // namespace runsc::net
