// Values of setsockopt(2) and getsockopt(2).
#pragma once

#include "net/types.h"

namespace runsc::net {

// An int. EINVAL: too short.
inline Result<int32_t> read_option(const Caller& caller, uint64_t address, uint32_t size) {
  if (size < sizeof(int32_t)) return Errno::inval;
  return mm::copy_in(caller.space, mm::UserPtr<int32_t>(address));
}
// An int or, as SOL_IP has it, one byte.
inline Result<int32_t> read_short_option(const Caller& caller, uint64_t address, uint32_t size) {
  if (size >= sizeof(int32_t)) return mm::copy_in(caller.space, mm::UserPtr<int32_t>(address));
  if (size == 0) return Errno::inval;
  return int32_t{TRY(mm::copy_in(caller.space, mm::UserPtr<uint8_t>(address)))};
}
// As much of `n` bytes as there is room for.
inline Result<uint32_t> give_option(const Caller& caller, uint64_t address, uint32_t size, const void* value,
                                    uint32_t n) {
  const uint32_t out = size < n ? size : n;
  TRY(mm::copy_out_bytes(caller.space, address, value, out));
  return out;
}
inline Result<uint32_t> give_option(const Caller& caller, uint64_t address, uint32_t size, int32_t value) {
  return give_option(caller, address, size, &value, sizeof value);
}
// The same where SOL_IP gives one byte to who has no room for four.
inline Result<uint32_t> give_short_option(const Caller& caller, uint64_t address, uint32_t size,
                                          int32_t value) {
  if (size > 0 && size < sizeof value && value >= 0 && value <= 255) {
    const auto byte = static_cast<uint8_t>(value);
    return give_option(caller, address, size, &byte, sizeof byte);
  }
  return give_option(caller, address, size, value);
}

}  // namespace runsc::net
