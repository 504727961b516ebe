// Names of AF_UNIX sockets: bind(2), autobind, and finding who has a name.
#include "net/unix/unix_name.h"

#include "fs/mount.h"
#include "net/socket.h"
#include "net/unix/unix_endpoint.h"

namespace runsc::net {

UnixName::UnixName(std::string_view text) : size_(static_cast<uint32_t>(text.size())) {
  __builtin_memcpy(text_, text.data(), text.size());
}

Result<Ref<UnixName>> UnixName::create(std::string_view text) {
  CHECK(text.size() <= kMaxPath + 1, "a name that is too long came through");
  Ref<UnixName> name = make_ref<UnixName>(text);
  if (!name) return Errno::nomem;
  return name;
}

void UnixName::put(Address& out) const {
  const uint16_t family = family_number::local;
  __builtin_memcpy(out.bytes, &family, sizeof family);
  __builtin_memcpy(out.bytes + kFamilySize, text_, size_);
  out.size = kFamilySize + size_;
}

Result<std::string_view> unix_path_of(std::span<const std::byte> address) {
  if (address.size() <= UnixName::kFamilySize || address.size() > UnixName::kFamilySize + UnixName::kMaxPath)
    return Errno::inval;
  uint16_t family;
  __builtin_memcpy(&family, address.data(), sizeof family);
  if (family != family_number::local) return Errno::inval;
  std::string_view path(reinterpret_cast<const char*>(address.data()) + UnixName::kFamilySize,
                        address.size() - UnixName::kFamilySize);
  // A path ends at its NUL; an abstract name has all its bytes.
  return path[0] ? path.substr(0, path.find('\0')) : path;
}

Ref<UnixEndpoint> UnixBinding::endpoint() {
  LockGuard guard(lock_);
  if (!endpoint_ || !endpoint_->try_ref()) return {};
  return Ref<UnixEndpoint>::adopt(endpoint_);
}

void UnixBinding::clear() {
  LockGuard guard(lock_);
  endpoint_ = nullptr;
}

Ref<UnixName> UnixEndpoint::bound_name() const {
  LockGuard guard(lock_);
  return name_;
}

Result<void> UnixEndpoint::bind(const Caller& caller, std::span<const std::byte> address) {
  if (address.size() == UnixName::kFamilySize) {
    uint16_t family;
    __builtin_memcpy(&family, address.data(), sizeof family);
    if (family == family_number::local) return autobind();
  }
  std::string_view path = TRY(unix_path_of(address));
  if (path[0] == 0) return bind_abstract(path);
  return bind_path(caller, path);
}

Result<void> UnixEndpoint::bind_path(const Caller& caller, std::string_view path) {
  char with_nul[UnixName::kMaxPath + 1];
  __builtin_memcpy(with_nul, path.data(), path.size());
  with_nul[path.size()] = 0;
  Ref<UnixName> fresh = TRY(UnixName::create({with_nul, path.size() + 1}));
  Ref<UnixBinding> binding = make_ref<UnixBinding>(*this);
  if (!binding) return Errno::nomem;
  const fs::WalkContext walk = caller.walk();
  const fs::Path start = path[0] == '/' ? caller.fs.root() : caller.fs.cwd();
  LockGuard guard(bind_lock_);
  if (bound_name()) return fs::walk(walk, start, path, 0) ? Errno::addrinuse : Errno::inval;
  uint32_t mode = 0777;
  if (Socket* file = file_.load(std::memory_order_acquire)) mode = TRY(file->get_attr()).mode & 07777;
  Result<fs::Path> made = fs::make_node(walk, start, path, fs::kSocket | mode, 0);
  if (!made) return made.error() == Errno::exist ? Errno::addrinuse : made.error();
  fresh->place = std::move(*made);
  fs::inode_of(fresh->place).attach(fs::AttachmentKind::special, binding);
  LockGuard state(lock_);
  name_ = std::move(fresh);
  binding_ = std::move(binding);
  return {};
}

Result<void> UnixEndpoint::bind_abstract(std::string_view text) {
  Ref<UnixName> fresh = TRY(UnixName::create(text));
  LockGuard guard(bind_lock_);
  if (bound_name()) return Errno::inval;
  return net().local_sockets.add_name(*this, *fresh, [&] {
    LockGuard state(lock_);
    name_ = fresh;
  });
}

// unix(7), "Autobind feature": a NUL and five hexadecimal digits.
Result<void> UnixEndpoint::autobind() {
  static constinit std::atomic<uint32_t> next{0};
  constexpr uint32_t kNames = 1 << 20;
  LockGuard guard(bind_lock_);
  if (bound_name()) return {};
  for (uint32_t tries = 0; tries < kNames; ++tries) {
    char text[8];
    FixedText out(text);
    out.write({"\0", 1});
    format(out, "{:05x}", next.fetch_add(1, std::memory_order_relaxed) % kNames);
    Ref<UnixName> fresh = TRY(UnixName::create(out.view()));
    Result<void> added = net().local_sockets.add_name(*this, *fresh, [&] {
      LockGuard state(lock_);
      name_ = fresh;
    });
    if (added || added.error() != Errno::addrinuse) return added;
  }
  return Errno::nospc;
}

// Who wants to know the senders' credentials has a name, so that it can be answered.
Result<void> UnixEndpoint::autobind_for_credentials() {
  if (!options.has(option_bit::passcred) || bound_name()) return {};
  return autobind();
}

// ECONNREFUSED, EPROTOTYPE, and what path_resolution(7) says.
Result<Ref<UnixEndpoint>> UnixEndpoint::find(const Caller& caller, std::string_view path) {
  Ref<UnixEndpoint> found;
  if (path[0] == 0) {
    Ref<UnixName> name = TRY(UnixName::create(path));
    found = net().local_sockets.find(type(), *name);
    if (!found) return Errno::connrefused;
    return found;
  }
  const fs::Path start = path[0] == '/' ? caller.fs.root() : caller.fs.cwd();
  fs::Path place = TRY(fs::walk(caller.walk(), start, path, fs::kFollow));
  TRY(fs::check_access(caller.creds, place, fs::kWrite));
  fs::Inode& inode = fs::inode_of(place);
  if (inode.type() != fs::kSocket) return Errno::connrefused;
  // Only bind_path() attaches to sockets.
  if (Ref<fs::InodeAttachment> binding = inode.attachment(fs::AttachmentKind::special))
    found = static_cast<UnixBinding&>(*binding).endpoint();
  if (!found) return Errno::connrefused;
  if (found->type() != type()) return Errno::prototype;
  return found;
}

Result<void> UnixEndpoint::name(Address& out, bool peer) {
  Ref<UnixName> name;
  if (peer) {
    Ref<UnixEndpoint> other;
    {
      LockGuard guard(lock_);
      other = peer_;
    }
    if (!other) return Errno::notconn;
    name = other->bound_name();
  } else {
    name = bound_name();
  }
  if (name) {
    name->put(out);
    return {};
  }
  const uint16_t family = family_number::local;
  __builtin_memcpy(out.bytes, &family, sizeof family);
  out.size = sizeof family;
  return {};
}

}  // namespace runsc::net
