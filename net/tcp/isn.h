// Numbers that an outsider must not guess: initial sequence numbers (RFC 6528), timestamp offsets, and SYN
// cookies (RFC 4987, section 3.6), all from SipHash-2-4 under a key of this boot.
#pragma once

#include "net/inet/port_table.h"
#include "net/tcp/segment.h"

namespace runsc::net::tcp {

struct SipKey {
  uint64_t k0 = 0, k1 = 0;
};
uint64_t siphash(const SipKey& key, std::span<const uint64_t> words);

// The key of this boot.
const SipKey& secret();

Seq initial_sequence(const PortKey& key, uint64_t now_us);
uint32_t timestamp_offset(const PortKey& key);

// A SYN-ACK's number that remembers the SYN for a minute or two.
struct Cookie {
  Seq sequence;
  uint16_t mss;
};
Cookie make_cookie(const PortKey& key, Seq peer, uint16_t mss, uint64_t now_us);
// The segment size that the cookie kept; 0: it is none of ours, or too old.
uint16_t check_cookie(const PortKey& key, Seq peer, Seq cookie, uint64_t now_us);
// Window shift and SACK go into the low bits of the timestamp.
uint32_t cookie_timestamp(uint32_t timestamp, bool has_shift, uint8_t shift, bool sack);
void read_cookie_timestamp(uint32_t echo, Options& out);

}  // namespace runsc::net::tcp
