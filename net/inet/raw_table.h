// Those who see packets before, or instead of, the transports: raw sockets by protocol (raw(7)), and packet
// sockets (packet(7)).
#pragma once

#include <boost/intrusive/list.hpp>

#include "kernel/base/lock.h"
#include "kernel/base/vec.h"
#include "net/packet.h"

namespace runsc::net {

class Stack;
struct IcmpError;

// A socket in a list, which is kept alive while it is given packets.
class Listener : public boost::intrusive::list_base_hook<> {
 public:
  virtual bool listener_try_ref() = 0;
  virtual void listener_unref() = 0;

 protected:
  ~Listener() = default;
};

class RawReceiver : public Listener {
 public:
  virtual bool wants(const Packet& packet, uint8_t protocol) const = 0;
  // IPv4: at the IP header. IPv6: at the transport header. Takes a copy that is its own.
  virtual void raw_packet(PacketPtr packet) = 0;
  // Of a packet that it may have sent.
  virtual bool wants_error(const IcmpError& error, uint8_t protocol) const = 0;
  virtual void raw_error(const IcmpError& error) = 0;

 protected:
  ~RawReceiver() = default;
};

class TapReceiver : public Listener {
 public:
  virtual bool wants(const Packet& packet, bool outgoing) const = 0;
  // At the network header.
  virtual void tap_packet(PacketPtr packet) = 0;

 protected:
  ~TapReceiver() = default;
};

// Rank: of its lock, under which wants() is called.
template <class T, LockRank Rank>
class ListenerList {
 public:
  void add(T& listener) {
    LockGuard guard(lock_);
    list_.push_back(listener);
    count_.fetch_add(1, std::memory_order_release);
  }
  void remove(T& listener) {
    LockGuard guard(lock_);
    auto& hook = static_cast<boost::intrusive::list_base_hook<>&>(listener);
    if (!hook.is_linked()) return;
    list_.erase(list_.iterator_to(listener));
    count_.fetch_sub(1, std::memory_order_release);
  }
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }

  // Calls give(T&) without the lock for those that `wants`.
  template <class Wants, class Give>
  void each(Wants&& wants, Give&& give) {
    Vec<T*> found;
    {
      LockGuard guard(lock_);
      for (T& listener : list_) {
        if (!wants(listener) || !listener.listener_try_ref()) continue;
        if (!found.push_back(&listener)) {
          listener.listener_unref();
          break;
        }
      }
    }
    for (T* listener : found) {
      give(*listener);
      listener->listener_unref();
    }
  }

 private:
  using List = boost::intrusive::list<T, boost::intrusive::constant_time_size<false>>;
  SpinLock lock_{Rank};
  List list_ GUARDED_BY(lock_);
  std::atomic<uint32_t> count_{0};
};

class RawTable final : public HeapObject {
 public:
  ListenerList<RawReceiver, LockRank::socket_table> sockets;
  // Copies for all who want the packet. False: nobody.
  bool deliver(Stack& stack, const Packet& packet, uint8_t protocol);
  // The same for what an ICMP message says of a packet of the protocol.
  bool tell(const IcmpError& error, uint8_t protocol);
};

class PacketTaps final : public HeapObject {
 public:
  // Packets go out under locks of sockets: receivers take none of that rank.
  ListenerList<TapReceiver, LockRank::net_config> sockets;
  // `packet` at its network header, coming in or going out by info.interface.
  void see(const Packet& packet, bool outgoing) {
    if (!sockets.empty()) [[unlikely]]
      show(packet, outgoing);
  }

 private:
  void show(const Packet& packet, bool outgoing);
};

}  // namespace runsc::net
