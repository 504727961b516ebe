// What has been written and is not acknowledged: slices of pages that segments share.
#pragma once

#include "net/packet.h"
#include "net/tcp/segment.h"

namespace runsc::net::tcp {

class SendQueue {
 public:
  // A place in the queue, made where memory may be waited for.
  struct Node : HeapObject {
    Slice slice;
    Seq start = 0;
    Node* next = nullptr;
  };

  SendQueue() = default;
  ~SendQueue() { clear(); }
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  // The number of the first byte, while it is empty.
  void start(Seq at) { end_ = at; }
  // `bytes` behind the last. `spare` is taken if they do not follow it in memory.
  void append(Slice bytes, Unique<Node>& spare);
  // Bytes before `at` have arrived.
  void release(Seq at);
  // Bytes [at, at + size) behind what `packet` has. False: they do not fit.
  bool copy_to(Packet& packet, Seq at, uint32_t size);
  Seq end() const { return end_; }
  void clear();

 private:
  Node *first_ = nullptr, *last_ = nullptr;
  Node* cursor_ = nullptr;  // where the last segment began
  Seq end_ = 0;
};

}  // namespace runsc::net::tcp
