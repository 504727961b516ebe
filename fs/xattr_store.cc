#include "fs/xattr_store.h"

namespace runsc::fs {

Result<size_t> XattrStore::get(std::string_view name, std::span<std::byte> out) const {
  LockGuard guard(lock_);
  for (const Entry& e : entries_) {
    if (e.name.view() != name) continue;
    if (out.empty()) return e.value.size();
    if (out.size() < e.value.size()) return Errno::range;
    if (!e.value.empty()) __builtin_memcpy(out.data(), e.value.view().data(), e.value.size());
    return e.value.size();
  }
  return Errno::nodata;
}

Result<void> XattrStore::set(std::string_view name, std::span<const std::byte> value, int flags) {
  constexpr int kCreate = 1, kReplace = 2;
  if (value.size() > kMaxValue) return Errno::toobig;
  Entry fresh;
  fresh.name = TRY(String::from(name));
  fresh.value = TRY(String::from({reinterpret_cast<const char*>(value.data()), value.size()}));
  LockGuard guard(lock_);
  for (Entry& e : entries_) {
    if (e.name.view() != name) continue;
    if (flags & kCreate) return Errno::exist;
    e.value = std::move(fresh.value);
    return {};
  }
  if (flags & kReplace) return Errno::nodata;
  return entries_.push_back(std::move(fresh));
}

Result<void> XattrStore::remove(std::string_view name) {
  LockGuard guard(lock_);
  for (size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].name.view() == name) {
      entries_.erase(i);
      return {};
    }
  return Errno::nodata;
}

Result<size_t> XattrStore::list(std::span<char> out) const {
  LockGuard guard(lock_);
  size_t need = 0;
  for (const Entry& e : entries_) need += e.name.size() + 1;
  if (out.empty()) return need;
  if (out.size() < need) return Errno::range;
  size_t at = 0;
  for (const Entry& e : entries_) {
    __builtin_memcpy(out.data() + at, e.name.c_str(), e.name.size() + 1);
    at += e.name.size() + 1;
  }
  return need;
}

}  // namespace runsc::fs
