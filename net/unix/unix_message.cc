#include "net/unix/unix_message.h"

#include <bit>

#include "net/unix/unix_endpoint.h"

namespace runsc::net {

UnixMessage::UnixMessage(Ref<UnixEndpoint> from, uint32_t charge)
    : sender(std::move(from)), charge_(charge) {}

UnixMessage::~UnixMessage() { sender->uncharge(charge_); }

// A message has a descriptor of 256 bytes, a head that is rounded up to a power of two with 320 bytes of
// bookkeeping in it, and whole pages for the rest.
uint32_t unix_message_charge(size_t header, size_t size) {
  constexpr size_t kDescriptor = 256, kShared = 320, kLine = 64;
  size_t head = (header + kLine - 1) / kLine * kLine + kShared;
  head = std::bit_ceil(head < 512 ? size_t{512} : head);
  size_t pages = mm::page_up(size - header);
  return static_cast<uint32_t>(kDescriptor + head + pages);
}

}  // namespace runsc::net
