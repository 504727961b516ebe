// Packets of random bytes, and good ones with a few bytes changed, harm nobody:
// raw(7), packet(7).
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include "net.h"

static uint32_t g_state = 12345;
static uint32_t next(void) {
  g_state ^= g_state << 13;
  g_state ^= g_state >> 17;
  return g_state ^= g_state << 5;
}

static uint16_t checksum(const void *data, size_t size) {
  const unsigned char *p = data;
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < size; i += 2)
    sum += p[i] | p[i + 1] << 8;
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

enum { kRounds = 1500, kMax = 400 };
static unsigned char g_bytes[kMax + 64];

// An IPv4 header that will be looked behind, with what the round chooses.
static size_t ipv4(unsigned char *at) {
  size_t options = next() % 3 == 0 ? next() % 11 * 4 : 0,
         size = 20 + options + next() % 120;
  struct iphdr *ip = (struct iphdr *)at;
  static const uint8_t kProtocols[] = {1, 2, 6, 17, 17, 41, 136, 253};
  *ip = (struct iphdr){.version = 4,
                       .ihl = 5 + options / 4,
                       .ttl = next(),
                       .tot_len = htons(size)};
  ip->protocol = kProtocols[next() % 8];
  ip->saddr = htonl(next() % 2 ? 0x0a000001 : next());
  ip->daddr = htonl(next() % 2 ? INADDR_LOOPBACK : 0x7fffffff);
  ip->id = next() % 4;
  if (next() % 2)
    ip->frag_off = htons((next() % 12) | (next() % 2 ? IP_MF : 0));
  ip->check = checksum(ip, 20 + options);
  return size;
}

static size_t ipv6(unsigned char *at) {
  size_t payload = next() % 200;
  struct ip6_hdr *ip = (struct ip6_hdr *)at;
  static const uint8_t kNext[] = {0, 6, 17, 43, 44, 50, 58, 59, 60};
  memset(ip, 0, sizeof(*ip));
  ip->ip6_vfc = 0x60;
  ip->ip6_plen = htons(payload);
  ip->ip6_nxt = kNext[next() % 9];
  ip->ip6_src = ip->ip6_dst = in6addr_loopback;
  // A chain of headers, more or less.
  unsigned char *p = at + sizeof(*ip);
  for (size_t i = 0; i + 8 <= payload; i += 8) {
    p[i] = kNext[next() % 9];
    p[i + 1] = next() % 3;
    if (next() % 2)
      p[i + 2] = 1, p[i + 3] = 4;
  }
  return sizeof(*ip) + payload;
}

int main(void) {
  net_private();
  int raw4 = OK(socket(AF_INET, SOCK_RAW, IPPROTO_RAW)),
      raw6 = OK(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
  int tap = OK(socket(AF_PACKET, SOCK_RAW, 0));
  // Those who might get something of it.
  int udp = net_udp4("0.0.0.0", 0), udp6 = net_udp6("::", 0),
      icmp = OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  net_set(udp, SOL_IP, IP_RECVERR, 1);
  struct sockaddr_in to4 = net_v4("127.0.0.1", 0);
  struct sockaddr_in6 to6 = net_v6("::1", 0);
  struct sockaddr_ll link = {.sll_family = AF_PACKET,
                             .sll_ifindex = if_nametoindex("lo")};
  for (int i = 0; i < kRounds; ++i) {
    unsigned char *packet = g_bytes + 14;
    for (size_t k = 0; k < sizeof(g_bytes); ++k)
      g_bytes[k] = next();
    size_t size = next() % kMax;
    int kind = next() % 4;
    if (kind == 1)
      size = ipv4(packet);
    if (kind == 2)
      size = ipv6(packet);
    if (kind == 3) {
      sendto(raw6, packet, size, 0, SA(to6));
      continue;
    }
    if (kind == 1 && next() % 2) {
      sendto(raw4, packet, size, 0, SA(to4));
      continue;
    }
    memset(g_bytes, 0, 12);
    *(uint16_t *)(void *)(g_bytes + 12) =
        htons(kind == 2 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
    sendto(tap, g_bytes, 14 + size, 0, SA(link));
  }
  // Everything still works.
  char buffer[2048];
  while (recv(udp, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0) {
  }
  while (recv(udp6, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0) {
  }
  while (recv(icmp, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0) {
  }
  int from = net_udp4("127.0.0.1", 0);
  net_send4(from, "alive", "127.0.0.1", net_port(udp));
  net_expect(udp, "alive");
  return 0;
}
