#include "net/socket.h"

#include "net/family.h"
#include "net/inet/inet_family.h"
#include "net/inet/packet_endpoint.h"
#include "net/netlink/netlink_endpoint.h"
#include "net/unix/unix_endpoint.h"

namespace runsc::net {

namespace {

constexpr uint64_t kSockfsMagic = 0x534f434b;

class SockfsSuper final : public fs::SuperBlock {
 public:
  Ref<fs::Inode> root() override { return {}; }
  std::string_view type_name() const override { return "sockfs"; }
  fs::FsStat stat_fs() override {
    fs::FsStat s;
    s.type = kSockfsMagic;
    return s;
  }
  uint64_t next_ino() { return next_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> next_{1000};
};

// Never freed: sockets come and go, the file system stays.
constinit SockfsSuper* g_sockfs = nullptr;

class SockfsInode final : public fs::Inode {
 public:
  SockfsInode(SockfsSuper& super, uint32_t uid, uint32_t gid) : Inode(super, fs::kSocket) {
    attr_.dev = super.dev();
    attr_.ino = super.next_ino();
    attr_.mode = fs::kSocket | 0777;
    attr_.uid = uid;
    attr_.gid = gid;
    attr_.atime = attr_.mtime = attr_.ctime = fs::now_realtime();
  }
  Result<fs::Attr> get_attr() override {
    LockGuard guard(attr_lock_);
    return attr_;
  }
  Result<void> set_attr(const fs::SetAttr& set) override {
    using fs::SetAttr;
    if (set.mask & SetAttr::kSize) return Errno::inval;
    const fs::Time now = fs::now_realtime();
    LockGuard guard(attr_lock_);
    if (set.mask & SetAttr::kMode) attr_.mode = fs::kSocket | (set.mode & 07777);
    if (set.mask & SetAttr::kUid) attr_.uid = set.uid;
    if (set.mask & SetAttr::kGid) attr_.gid = set.gid;
    if (set.mask & SetAttr::kAtime) attr_.atime = set.atime;
    if (set.mask & SetAttr::kMtime) attr_.mtime = set.mtime;
    if (set.mask & SetAttr::kAtimeNow) attr_.atime = now;
    if (set.mask & SetAttr::kMtimeNow) attr_.mtime = now;
    attr_.ctime = now;
    return {};
  }

 private:
  SpinLock attr_lock_{LockRank::leaf};
  fs::Attr attr_ GUARDED_BY(attr_lock_);
};

}  // namespace

Socket::Socket(uint32_t flags, Ref<fs::Inode> inode, Ref<Endpoint> endpoint)
    : File(flags, std::move(inode)), endpoint_(std::move(endpoint)) {}

Socket::~Socket() { endpoint_->release(); }

Result<Ref<Socket>> Socket::create(Ref<Endpoint> endpoint, const fs::Credentials& owner, uint32_t flags) {
  Ref<Socket> file;
  if (Ref<fs::Inode> inode = make_ref<SockfsInode>(*g_sockfs, owner.fsuid, owner.fsgid))
    file =
        make_ref<Socket>(fs::open_flag::rdwr | (flags & fs::open_flag::nonblock), std::move(inode), endpoint);
  if (!file) {
    endpoint->release();
    return Errno::nomem;
  }
  endpoint->attached(*file);
  return file;
}

Result<void> net_init() {
  Ref<SockfsSuper> super = make_ref<SockfsSuper>();
  if (!super) return Errno::nomem;
  g_sockfs = super.leak();
  register_family(family_number::local, create_unix_endpoint);
  inet_init();
  register_family(family_number::netlink, create_netlink);
  register_family(family_number::packet, create_packet);
  return {};
}

}  // namespace runsc::net
