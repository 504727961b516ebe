#include "net/tcp/send_queue.h"

#include <algorithm>

namespace runsc::net::tcp {

void SendQueue::append(Slice bytes, Unique<Node>& spare) {
  const uint32_t n = bytes.size();
  if (last_ && last_->slice.join(bytes)) {
    end_ += n;
    return;
  }
  Node* node = spare.release();
  node->slice = std::move(bytes);
  node->start = end_;
  (last_ ? last_->next : first_) = node;
  last_ = node;
  end_ += n;
}

void SendQueue::release(Seq at) {
  while (first_) {
    Node* node = first_;
    const uint32_t size = node->slice.size();
    if (!at_or_before(node->start + size, at)) {
      // A part: the block lives on, but the bytes are done with.
      if (before(node->start, at)) {
        node->slice.drop_front(at - node->start);
        node->start = at;
      }
      return;
    }
    first_ = node->next;
    if (!first_) last_ = nullptr;
    if (cursor_ == node) cursor_ = nullptr;
    Unique<Node> gone(node);
  }
}

bool SendQueue::copy_to(Packet& packet, Seq at, uint32_t size) {
  Node* node = cursor_ && at_or_before(cursor_->start, at) ? cursor_ : first_;
  while (node && at_or_before(node->start + node->slice.size(), at)) node = node->next;
  if (!node || before(at, node->start)) return size == 0;
  cursor_ = node;
  while (size > 0 && node) {
    const uint32_t offset = at - node->start;
    const uint32_t n = std::min(node->slice.size() - offset, size);
    if (!packet.add_slice(node->slice.part(offset, n))) return false;
    at += n;
    size -= n;
    node = node->next;
  }
  return size == 0;
}

void SendQueue::clear() {
  while (first_) {
    Unique<Node> gone(first_);
    first_ = first_->next;
  }
  last_ = cursor_ = nullptr;
}

}  // namespace runsc::net::tcp
