// UnixName: the address of a bound AF_UNIX socket (unix(7), "Address format"). Never changes; a connection
// shares its listener's.
#pragma once

#include "fs/inode.h"
#include "net/types.h"

namespace runsc::net {

class UnixEndpoint;

class UnixName final : public RefCounted<UnixName> {
 public:
  static constexpr size_t kMaxPath = 108;
  static constexpr uint32_t kFamilySize = 2;

  // `text`: sun_path as it counts, for a path with its NUL. ENOMEM.
  static Result<Ref<UnixName>> create(std::string_view text);

  std::string_view text() const { return {text_, size_}; }
  bool abstract() const { return size_ > 0 && text_[0] == 0; }
  void put(Address& out) const;

  // Where a path is bound: keeps the node, so that its binding stays findable.
  fs::Path place;

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit UnixName(std::string_view text);
  char text_[kMaxPath + 1];
  uint32_t size_;
};

// sun_path of an address. EINVAL: another family, no name, or too long.
Result<std::string_view> unix_path_of(std::span<const std::byte> address);

// What the inode of a bound path keeps: the socket, while there is one.
class UnixBinding final : public fs::InodeAttachment {
 public:
  explicit UnixBinding(UnixEndpoint& endpoint) : endpoint_(&endpoint) {}
  Ref<UnixEndpoint> endpoint();  // null: it is gone
  void clear();

 private:
  SpinLock lock_{LockRank::leaf};
  UnixEndpoint* endpoint_ GUARDED_BY(lock_);
};

}  // namespace runsc::net
