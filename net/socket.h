// Socket: the open file of a socket(2), and sockfs, where its inode is.
#pragma once

#include "fs/inode.h"
#include "net/endpoint.h"

namespace runsc::net {

class Socket final : public fs::File {
 public:
  // Takes over the endpoint: if there is no file in the end (ENOMEM), it has been released.
  static Result<Ref<Socket>> create(Ref<Endpoint> endpoint, const fs::Credentials& owner, uint32_t flags);
  ~Socket() override;

  Endpoint& endpoint() const { return *endpoint_; }

  // Reading and writing needs to know who does it: kernel/syscalls/socket_wait.h.
  uint32_t poll() override { return endpoint_->poll(); }
  WaitQueue* wait_queue() override { return &endpoint_->queue(); }
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) override {
    return endpoint_->ioctl(request, argument, context);
  }
  Result<void> check_flags(uint32_t wanted) override {
    return wanted & fs::open_flag::direct ? Errno::inval : Result<void>();
  }
  fs::FileKind kind() const override { return fs::FileKind::socket; }
  void fdinfo(TextSink& out) const override { endpoint_->fdinfo(out); }

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Socket(uint32_t flags, Ref<fs::Inode> inode, Ref<Endpoint> endpoint);
  const Ref<Endpoint> endpoint_;
};

// The socket behind a file, or null.
inline Socket* socket_of(fs::File& file) {
  return file.kind() == fs::FileKind::socket ? static_cast<Socket*>(&file) : nullptr;
}

// Sets up sockfs and the families that live here. ENOMEM.
Result<void> net_init();

}  // namespace runsc::net
