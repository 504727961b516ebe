// packet(7) on lo: what goes out and comes in, with and without the link's
// header.
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include "net.h"

static uint16_t checksum(uint32_t sum, const void* data, size_t size) {
  const unsigned char* p = data;
  for (size_t i = 0; i + 1 < size; i += 2) sum += p[i] | p[i + 1] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

int main(void) {
  net_private();
  int raw = OK(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))),
      cooked = OK(socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)));
  int none = OK(socket(AF_PACKET, SOCK_RAW, 0));
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = 999};
  FAILS(bind(raw, SA(a)), ENODEV);
  FAILS(bind(raw, (struct sockaddr*)&a, 12), EINVAL);
  a.sll_ifindex = 1;
  OK(bind(raw, SA(a)));
  int from = net_udp4("127.0.0.1", 0), to = net_udp4("127.0.0.1", 0);
  net_send4(from, "look", "127.0.0.1", net_port(to));
  net_expect(to, "look");
  struct {
    struct ether_header link;
    struct iphdr ip;
    char udp[8], text[32];
  } __attribute__((packed)) got;
  struct sockaddr_ll seen;
  socklen_t size = sizeof(seen);
  // Twice: on its way out, on its way in.
  CHECK_EQ(recvfrom(raw, &got, sizeof(got), MSG_DONTWAIT, (struct sockaddr*)&seen, &size), 14 + 20 + 8 + 4);
  CHECK_EQ(got.link.ether_type, htons(ETHERTYPE_IP));
  CHECK_EQ(got.ip.protocol, IPPROTO_UDP);
  CHECK(memcmp(got.text, "look", 4) == 0);
  CHECK_EQ(seen.sll_pkttype, PACKET_OUTGOING);
  CHECK_EQ(seen.sll_ifindex, 1);
  CHECK_EQ(seen.sll_hatype, 772);
  CHECK_EQ(seen.sll_protocol, htons(ETH_P_IP));
  CHECK_EQ(seen.sll_halen, 6);
  CHECK_EQ(recvfrom(raw, &got, sizeof(got), MSG_DONTWAIT, (struct sockaddr*)&seen, &size), 46);
  CHECK_EQ(seen.sll_pkttype, PACKET_HOST);
  net_empty(raw);
  // One protocol: in only, from the network header on.
  struct iphdr ip;
  CHECK_EQ(recv(cooked, &ip, sizeof(ip), MSG_DONTWAIT | MSG_TRUNC), 32);
  CHECK_EQ(ip.version, 4);
  CHECK_EQ(ip.daddr, htonl(INADDR_LOOPBACK));
  net_empty(cooked);
  net_empty(none);

  struct tpacket_stats stats;
  size = sizeof(stats);
  OK(getsockopt(raw, SOL_PACKET, PACKET_STATISTICS, &stats, &size));
  CHECK_EQ(stats.tp_packets, 2);
  CHECK_EQ(stats.tp_drops, 0);

  // Packets made by hand. IPv4's loopback addresses are not for the wire, not
  // even for that of lo.
  memset(&got, 0, sizeof(got));
  got.link.ether_type = htons(ETHERTYPE_IP);
  got.ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 3, .protocol = IPPROTO_UDP, .tot_len = htons(33)};
  got.ip.saddr = htonl(0x7f000007);
  got.ip.daddr = htonl(INADDR_LOOPBACK);
  got.ip.check = checksum(0, &got.ip, sizeof(got.ip));
  uint16_t udp[4] = {htons(1), htons(net_port(to)), htons(13), 0};
  memcpy(got.udp, udp, 8);
  memcpy(got.text, "hands", 5);
  CHECK_EQ(send(raw, &got, 14 + 33, 0), 14 + 33);
  net_empty(to);
  struct {
    struct ether_header link;
    struct ip6_hdr ip;
    uint16_t udp[4];
    char text[6];
  } __attribute__((packed)) six = {.text = "hands"};
  int to6 = net_udp6("::1", 0);
  six.link.ether_type = htons(ETHERTYPE_IPV6);
  six.ip.ip6_vfc = 0x60;
  six.ip.ip6_plen = htons(14);
  six.ip.ip6_nxt = IPPROTO_UDP;
  six.ip.ip6_hlim = 9;
  six.ip.ip6_src = six.ip.ip6_dst = in6addr_loopback;
  six.udp[0] = htons(1), six.udp[1] = htons(net_port(to6)), six.udp[2] = htons(14);
  uint16_t pseudo[2] = {htons(14), htons(IPPROTO_UDP)};
  uint32_t sum = (uint16_t)~checksum(0, &six.ip.ip6_src, 32);
  sum += (uint16_t)~checksum(0, pseudo, 4);
  six.udp[3] = checksum(sum, six.udp, 14);
  CHECK_EQ(send(raw, &six, sizeof(six), 0), sizeof(six));
  CHECK_EQ(recv(to6, got.text, 6, MSG_DONTWAIT), 6);
  CHECK_STR(got.text, "hands");
  // Without a link header the name tells the rest.
  a.sll_protocol = htons(ETH_P_IPV6);
  CHECK_EQ(sendto(cooked, &six.ip, sizeof(six) - 14, 0, SA(a)), sizeof(six) - 14);
  CHECK_EQ(recv(to6, got.text, 6, MSG_DONTWAIT), 6);
  six.udp[3] ^= 1;
  CHECK_EQ(send(raw, &six, sizeof(six), 0), sizeof(six));
  net_empty(to6);
  // One that is larger than any buffer of small ones.
  static struct {
    struct ether_header link;
    struct ip6_hdr ip;
    uint16_t udp[4];
    char text[5000];
  } __attribute__((packed)) large, back;
  memcpy(&large, &six, 14 + 40 + 8);
  for (size_t i = 0; i < sizeof(large.text); ++i) large.text[i] = 'a' + i % 23;
  large.ip.ip6_plen = large.udp[2] = pseudo[0] = htons(8 + sizeof(large.text));
  large.udp[3] = 0;
  sum = (uint16_t)~checksum(0, &large.ip.ip6_src, 32);
  sum += (uint16_t)~checksum(0, pseudo, 4);
  large.udp[3] = checksum(sum, large.udp, 8 + sizeof(large.text));
  CHECK_EQ(send(raw, &large, sizeof(large), 0), sizeof(large));
  CHECK_EQ(recv(to6, back.text, sizeof(back.text), MSG_DONTWAIT), sizeof(large.text));
  CHECK(memcmp(back.text, large.text, sizeof(large.text)) == 0);
  CHECK_EQ(sendto(cooked, &large.ip, sizeof(large) - 14, 0, SA(a)), sizeof(large) - 14);
  CHECK_EQ(recv(to6, back.text, sizeof(back.text), MSG_DONTWAIT), sizeof(large.text));
  // Who has no address of his own yet may speak to all; nobody else may claim one of ours.
  int all = net_udp4("0.0.0.0", 0);
  static const char* const kSources[] = {"0.0.0.0", "127.0.0.1", "0.1.2.3", "255.255.255.255", "224.0.0.1"};
  for (int i = 0; i < 5; ++i) {
    got.ip.saddr = net_v4(kSources[i], 0).sin_addr.s_addr;
    got.ip.daddr = htonl(INADDR_BROADCAST);
    got.ip.check = 0;
    got.ip.check = checksum(0, &got.ip, sizeof(got.ip));
    udp[1] = htons(net_port(all));
    memcpy(got.udp, udp, 8);
    memcpy(got.text, "hands", 5);
    CHECK_EQ(send(raw, &got, 14 + 33, 0), 14 + 33);
    if (i % 2 == 0 && i < 4) net_expect(all, "hands");
    net_empty(all);
  }
  FAILS(send(raw, &got, 13, 0), EINVAL);
  FAILS(send(none, &got, 47, 0), ENXIO);
  return 0;
}
