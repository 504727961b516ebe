// One sendmsg(2) or recvmsg(2) on its way through an endpoint. Both can be tried again after EAGAIN: what has
// been done already is remembered here.
#pragma once

#include "net/control.h"
#include "net/rights.h"
#include "net/types.h"

namespace runsc::net {

// What an operation that said EAGAIN waits for: `events` on `queue`, which `owner` keeps alive.
struct WaitPoint {
  explicit WaitPoint(bool no_waiting = false);
  ~WaitPoint();
  WaitPoint(const WaitPoint&) = delete;
  WaitPoint& operator=(const WaitPoint&) = delete;
  Errno at(Endpoint& endpoint, WaitQueue& wait_queue, uint32_t wait_events);  // always EAGAIN

  const bool nonblocking;  // in: the caller will not wait
  Ref<Endpoint> owner;
  WaitQueue* queue = nullptr;
  uint32_t events = 0;
};

struct SendMessage {
  SendMessage(const Caller& c, mm::IoBuf& d, uint32_t f)
      : caller(c), data(d), flags(f), wait(f & msg_flag::dontwait) {}

  const Caller& caller;
  mm::IoBuf& data;
  uint32_t flags;                      // msg_flag
  bool has_address = false;            // msg_name was given
  std::span<const std::byte> address;  // msg_name
  std::span<const std::byte> control;  // msg_control, a copy
  WaitPoint wait;
  bool sigpipe = false;  // out: EPIPE comes with SIGPIPE unless MSG_NOSIGNAL

  // ---- The endpoint's.
  bool prepared = false;  // `control` has been read
  bool has_creds = false;
  PeerCredentials creds;
  Unique<Rights> rights;
  size_t done = 0;
};

struct ReceiveMessage {
  ReceiveMessage(const Caller& c, mm::IoBuf& d, uint32_t f)
      : caller(c), data(d), flags(f), wait(f & msg_flag::dontwait) {}

  const Caller& caller;
  mm::IoBuf& data;
  uint32_t flags;
  bool want_address = false;
  Address address;         // out
  uint32_t out_flags = 0;  // out
  ControlWriter control;
  WaitPoint wait;
  size_t done = 0;  // out: bytes so far, also after EAGAIN

  // ---- The endpoint's.
  bool has_creds = false, fixed_creds = false;
  PeerCredentials creds;
  Unique<Rights> rights;
  int64_t timestamp_ns = 0;
  bool has_address = false;
};

}  // namespace runsc::net
