// NetlinkEndpoint: AF_NETLINK sockets (netlink(7)). What is asked is answered while it is sent; the answers
// wait in the socket's own queue.
#pragma once

#include "net/endpoint.h"
#include "net/netlink/message.h"
#include "net/netlink/netlink_table.h"

namespace runsc::net {

class Stack;

// For register_family(). EPROTONOSUPPORT, ESOCKTNOSUPPORT.
Result<Ref<Endpoint>> create_netlink(const Caller& caller, NetworkNamespace& net, int type, int protocol);

namespace netlink_protocol {
inline constexpr int route = 0, sock_diag = 4, uevent = 15;
}

class NetlinkEndpoint final : public Endpoint, public NetlinkEntry {
 public:
  ~NetlinkEndpoint() override;
  static constexpr uint32_t kGroups = 64;
  Result<void> bind(const Caller& caller, std::span<const std::byte> address) override;
  Result<void> connect(const Caller& caller, std::span<const std::byte> address, WaitPoint& wait) override;
  Result<void> name(Address& out, bool peer) override;
  Result<size_t> send(SendMessage& message) override;
  Result<size_t> receive(ReceiveMessage& message) override;
  uint32_t poll() override;
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) override;
  Result<void> set_option(const Caller& caller, int level, int name, uint64_t address,
                          uint32_t size) override;
  Result<uint32_t> get_option(const Caller& caller, int level, int name, uint64_t address,
                              uint32_t size) override;
  void attached(Socket& file) override;
  void release() override;

  NetlinkEndpoint& netlink_endpoint() override { return *this; }
  bool joined(uint32_t group) const {
    return group > 0 && group <= kGroups && groups_.load(std::memory_order_relaxed) >> (group - 1) & 1;
  }
  // A message for it; it is told ENOBUFS when there is no room.
  void take(Vec<std::byte> bytes, uint32_t group);
  uint64_t ino() const { return ino_.load(std::memory_order_relaxed); }
  uint32_t port() const { return port_.load(std::memory_order_relaxed); }
  uint32_t memory() const { return charged_.load(std::memory_order_relaxed); }
  uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  struct Message final : HeapObject, boost::intrusive::list_base_hook<> {
    Vec<std::byte> bytes;
    uint32_t group = 0;
    bool dump = false, more = false;  // a piece of a dump, and more of it comes behind
  };
  NetlinkEndpoint(NetworkNamespace& net, int type, int protocol);
  NetlinkTable& table() const;
  Result<void> autobind(const Caller& caller);
  bool dumps(const NetlinkHeader& header) const;
  Result<void> process(const Caller& caller, std::span<const std::byte> bytes);
  Result<void> answer(const Caller& caller, std::span<const std::byte> message, const NetlinkHeader& header);
  void acknowledge(std::span<const std::byte> message, const NetlinkHeader& header, Errno error);
  void queue_answers(NetlinkWriter& writer, bool dump);
  bool has_room(uint32_t most) const { return charged_.load(std::memory_order_relaxed) <= most; }
  uint32_t room() const { return options.receive_buffer.load(std::memory_order_relaxed); }
  void queue_message(Vec<std::byte> bytes, uint32_t group, bool dump = false, bool more = false);
  void overrun();
  void clear_messages();

  using List = boost::intrusive::list<Message, boost::intrusive::constant_time_size<false>>;
  std::atomic<uint32_t> port_{0}, peer_{0}, charged_{0};
  std::atomic<uint64_t> groups_{0}, ino_{0};
  std::atomic<uint32_t> switches_{0};    // options that are on: 1 << NETLINK_*
  std::atomic<uint32_t> dump_waits_{0};  // messages with `more`
  SpinLock lock_{LockRank::socket};
  List messages_ GUARDED_BY(lock_);
};

}  // namespace runsc::net
