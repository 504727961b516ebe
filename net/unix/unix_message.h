// UnixMessage: what one send(2) (or a part of it) put into a receiver's queue.
#pragma once

#include <boost/intrusive/list.hpp>

#include "net/buffer.h"
#include "net/rights.h"
#include "net/types.h"

namespace runsc::net {

class UnixEndpoint;

class UnixMessage final : public RefCounted<UnixMessage>, public boost::intrusive::list_base_hook<> {
 public:
  // `charge` has been counted for the sender.
  UnixMessage(Ref<UnixEndpoint> from, uint32_t charge);
  ~UnixMessage();

  size_t left() const { return data.size() - consumed; }

  const Ref<UnixEndpoint> sender;
  Buffer data;
  size_t consumed = 0;    // the stream's reader's
  bool peeked = false;    // under the receiver's lock
  PeerCredentials creds;  // pid 0: not told
  Unique<Rights> rights;
  int64_t timestamp_ns = 0;

 private:
  const uint32_t charge_;
};

using UnixMessageList = boost::intrusive::list<UnixMessage, boost::intrusive::constant_time_size<false>>;

// What Linux counts for a message of `size` bytes, the first `header` of them in one piece of memory.
uint32_t unix_message_charge(size_t header, size_t size);

}  // namespace runsc::net
