#include "net/proc_text.h"

#include "net/inet/datagram_endpoint.h"
#include "net/inet/packet_endpoint.h"
#include "net/inet/raw_endpoint.h"
#include "net/inet/wire.h"
#include "net/netlink/netlink_endpoint.h"
#include "net/proc_row.h"

namespace runsc::net {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint8_t kConnected = 1, kOpen = 7;

// As four bytes, or four times four, read as numbers of this machine.
void print_address(TextSink& out, const IpAddress& address, uint16_t port, bool v6) {
  if (v6) {
    uint32_t words[4];
    address.put_v6(words);
    for (uint32_t word : words) hex_upper(out, word, 8);
  } else {
    hex_upper(out, __builtin_bswap32(address.v4()), 8);
  }
  out.write(":");
  hex_upper(out, port, 4);
}

Result<void> show_datagrams(PortTable& table, bool v6, TextSink& out) {
  Padded row;
  if (v6)
    out.write(
        "  sl  local_address                         remote_address                        st tx_queue "
        "rx_queue tr "
        "tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
  else {
    row.write(
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode "
        "ref "
        "pointer drops");
    row.end(out);
  }
  Vec<PortRef> all;
  TRY(table.list(all));
  for (PortRef& ref : all) {
    InetEndpoint* endpoint = ref.endpoint();
    if (!endpoint || endpoint->v6() != v6) continue;
    auto& datagram = static_cast<DatagramEndpoint&>(*endpoint);
    const InetEndpoint::Names names = endpoint->names();
    const DatagramEndpoint::QueueState state = datagram.queue_state();
    row.write(" ");
    print_socket_row(row,
                     {names.local.port, names.local.address, names.peer.address, names.local.port,
                      names.peer.port, state.connected ? kConnected : kOpen, 0, state.receive_memory, 0, 0, 0,
                      endpoint->uid(), 0, endpoint->ino()},
                     v6);
    format(row, " {} {} {}", endpoint->ref_count(), "0000000000000000", state.drops);
    row.end(out);
  }
  return {};
}

Result<void> show_raws(NetworkNamespace& net, bool v6, TextSink& out) {
  if (v6)
    out.write(
        "  sl  local_address                         remote_address                        st tx_queue "
        "rx_queue tr "
        "tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
  else
    out.write(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode "
        "ref "
        "pointer drops\n");
  net.inet().raw().sockets.each(
      [](const RawReceiver&) { return true; },
      [&](RawReceiver& receiver) {
        auto& raw = static_cast<RawEndpoint&>(receiver);
        if (raw.v6() != v6) return;
        const InetEndpoint::Names names = raw.names();
        const DatagramEndpoint::QueueState state = raw.queue_state();
        const auto number = static_cast<uint16_t>(raw.protocol());
        print_socket_row(
            out,
            {number, names.local.address, names.peer.address, number, 0, state.connected ? kConnected : kOpen,
             0, state.receive_memory, 0, 0, 0, raw.uid(), 0, raw.ino()},
            v6);
        format(out, " {} {} {}\n", raw.ref_count(), "0000000000000000", state.drops);
      });
  return {};
}

}  // namespace

void print_socket_row(TextSink& out, const SocketRow& row, bool v6) {
  format(out, "{:4}: ", row.slot);
  print_address(out, row.local, row.port, v6);
  out.write(" ");
  print_address(out, row.peer, row.peer_port, v6);
  out.write(" ");
  hex_upper(out, row.state, 2);
  out.write(" ");
  hex_upper(out, row.send_queue, 8);
  out.write(":");
  hex_upper(out, row.receive_queue, 8);
  out.write(" ");
  hex_upper(out, row.timer, 2);
  out.write(":");
  hex_upper(out, static_cast<uint32_t>(row.timer_when), 8);
  out.write(" ");
  hex_upper(out, row.retransmits, 8);
  format(out, " {:5} {:8} {}", row.uid, row.timeout, row.ino);
}

Result<void> show_udp(NetworkNamespace& net, TextSink& out) {
  return show_datagrams(net.inet().udp, false, out);
}
Result<void> show_udp6(NetworkNamespace& net, TextSink& out) {
  return show_datagrams(net.inet().udp, true, out);
}
Result<void> show_icmp(NetworkNamespace& net, TextSink& out) {
  return show_datagrams(net.inet().ping, false, out);
}
Result<void> show_icmp6(NetworkNamespace& net, TextSink& out) {
  return show_datagrams(net.inet().ping, true, out);
}
Result<void> show_raw(NetworkNamespace& net, TextSink& out) { return show_raws(net, false, out); }
Result<void> show_raw6(NetworkNamespace& net, TextSink& out) { return show_raws(net, true, out); }

Result<void> show_packet(NetworkNamespace& net, TextSink& out) {
  out.write("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
  net.inet().taps().sockets.each([](const TapReceiver&) { return true; },
                                 [&](TapReceiver& receiver) {
                                   auto& packet = static_cast<PacketEndpoint&>(receiver);
                                   const PacketEndpoint::Facts f = packet.facts();
                                   format(out, "{:016x} {:<6} {:<4} {:04x}   {:<5} 1 {:<6} {:<6} {:<6}\n",
                                          uint64_t{0}, packet.ref_count(), packet.type(), uint32_t{f.ether},
                                          f.interface, f.memory, f.uid, f.ino);
                                 });
  return {};
}

Result<void> show_netlink(NetworkNamespace& net, TextSink& out) {
  out.write("sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
  Vec<Ref<NetlinkEndpoint>> all;
  TRY(net.inet().netlink().list(all));
  for (const Ref<NetlinkEndpoint>& e : all)
    format(out, "{:016x} {:<3} {:<10} {:08x} {:<8} {:<8} {:<5} {:<8} {:<8} {:<8}\n", uint64_t{0},
           e->protocol(), e->port(), static_cast<uint32_t>(e->groups()), e->memory(), 0, 0, e->ref_count(), 0,
           e->ino());
  return {};
}

Result<void> show_snmp(NetworkNamespace& net, TextSink& out) {
  Stack& stack = net.inet();
  auto v = [&](Mib what) { return stack.counters.get(what, false); };
  auto type = [&](bool outgoing, unsigned kind) {
    return stack.counters.icmp_types[0][outgoing][kind].load(kRelaxed);
  };
  out.write(
      "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos "
      "InDiscards "
      "InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs "
      "FragFails "
      "FragCreates OutTransmits\n");
  format(out, "Ip: 2 {} {} {} {} 0 {} {} {} {}", stack.settings.default_ttl.load(kRelaxed),
         v(Mib::ip_in_receives), v(Mib::ip_in_header_errors), v(Mib::ip_in_address_errors),
         v(Mib::ip_in_unknown_protocols), v(Mib::ip_in_discards), v(Mib::ip_in_delivers),
         v(Mib::ip_out_requests));
  format(out, " {} {} {} {} {} {} {} {} {} {}\n", v(Mib::ip_out_discards), v(Mib::ip_out_no_routes),
         v(Mib::ip_reasm_timeout), v(Mib::ip_reasm_required), v(Mib::ip_reasm_ok), v(Mib::ip_reasm_fails),
         v(Mib::ip_frag_ok), v(Mib::ip_frag_fails), v(Mib::ip_frag_creates), v(Mib::ip_out_requests));
  out.write(
      "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects "
      "InEchos "
      "InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors "
      "OutRateLimitGlobal "
      "OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos "
      "OutEchoReps "
      "OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps\n");
  constexpr unsigned kOrder[] = {3, 11, 12, 4, 5, 8, 0, 13, 14, 17, 18};
  format(out, "Icmp: {} {} {}", v(Mib::icmp_in), v(Mib::icmp_in_errors), v(Mib::icmp_in_checksum));
  for (unsigned kind : kOrder) format(out, " {}", type(false, kind));
  format(out, " {} {} 0 0", v(Mib::icmp_out), v(Mib::icmp_out_errors));
  for (unsigned kind : kOrder) format(out, " {}", type(true, kind));
  out.write("\n");
  out.write(
      "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti "
      "MemErrors\n");
  format(out, "Udp: {} {} {} {} {} {} {} 0 0\n", v(Mib::udp_in), v(Mib::udp_no_ports), v(Mib::udp_in_errors),
         v(Mib::udp_out), v(Mib::udp_receive_buffer), v(Mib::udp_send_buffer), v(Mib::udp_in_checksum));
  out.write(
      "UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors "
      "IgnoredMulti "
      "MemErrors\nUdpLite: 0 0 0 0 0 0 0 0 0\n");
  return {};
}

Result<void> show_snmp6(NetworkNamespace& net, TextSink& out) {
  struct Row {
    std::string_view name;
    Mib what;
  };
  static constexpr Row kRows[] = {
      {"Ip6InReceives", Mib::ip_in_receives},
      {"Ip6InHdrErrors", Mib::ip_in_header_errors},
      {"Ip6InAddrErrors", Mib::ip_in_address_errors},
      {"Ip6InUnknownProtos", Mib::ip_in_unknown_protocols},
      {"Ip6InDiscards", Mib::ip_in_discards},
      {"Ip6InDelivers", Mib::ip_in_delivers},
      {"Ip6OutRequests", Mib::ip_out_requests},
      {"Ip6OutDiscards", Mib::ip_out_discards},
      {"Ip6OutNoRoutes", Mib::ip_out_no_routes},
      {"Ip6ReasmTimeout", Mib::ip_reasm_timeout},
      {"Ip6ReasmReqds", Mib::ip_reasm_required},
      {"Ip6ReasmOKs", Mib::ip_reasm_ok},
      {"Ip6ReasmFails", Mib::ip_reasm_fails},
      {"Ip6FragOKs", Mib::ip_frag_ok},
      {"Ip6FragFails", Mib::ip_frag_fails},
      {"Ip6FragCreates", Mib::ip_frag_creates},
      {"Icmp6InMsgs", Mib::icmp_in},
      {"Icmp6InErrors", Mib::icmp_in_errors},
      {"Icmp6OutMsgs", Mib::icmp_out},
      {"Icmp6OutErrors", Mib::icmp_out_errors},
      {"Icmp6InCsumErrors", Mib::icmp_in_checksum},
      {"Udp6InDatagrams", Mib::udp_in},
      {"Udp6NoPorts", Mib::udp_no_ports},
      {"Udp6InErrors", Mib::udp_in_errors},
      {"Udp6OutDatagrams", Mib::udp_out},
      {"Udp6RcvbufErrors", Mib::udp_receive_buffer},
      {"Udp6SndbufErrors", Mib::udp_send_buffer},
      {"Udp6InCsumErrors", Mib::udp_in_checksum},
  };
  for (const Row& row : kRows) format(out, "{:<32}\t{}\n", row.name, net.inet().counters.get(row.what, true));
  return {};
}

namespace {

struct Usage {
  uint32_t udp[2] = {}, tcp[2] = {}, raw[2] = {};
  uint32_t tcp_orphans = 0, tcp_waiting = 0;
  uint64_t tcp_bytes = 0, udp_bytes = 0;
  uint32_t pages(uint64_t bytes) const {
    return static_cast<uint32_t>((bytes + mm::kPageSize - 1) / mm::kPageSize);
  }
};

Result<Usage> usage_of(Stack& stack) {
  Usage usage;
  Vec<PortRef> all;
  TRY(stack.udp.list(all));
  for (PortRef& ref : all) {
    InetEndpoint* endpoint = ref.endpoint();
    if (!endpoint) continue;
    ++usage.udp[endpoint->v6()];
    usage.udp_bytes += endpoint->facts().receive_queue;
  }
  all.clear();
  TRY(stack.tcp.list(all));
  for (PortRef& ref : all) {
    constexpr uint8_t kNameOnly = 0, kTimeWait = 6, kListen = 10;
    InetEndpoint* endpoint = ref.endpoint();
    if (!endpoint) continue;
    const InetEndpoint::Facts facts = endpoint->facts();
    if (facts.state == kTimeWait) ++usage.tcp_waiting;
    if (facts.state == kTimeWait || facts.state == kNameOnly) continue;
    ++usage.tcp[endpoint->v6()];
    if (facts.orphan) ++usage.tcp_orphans;
    if (facts.state != kListen) usage.tcp_bytes += uint64_t{facts.receive_queue} + facts.send_queue;
  }
  stack.raw().sockets.each([](const RawReceiver&) { return true; },
                           [&](RawReceiver& r) { ++usage.raw[static_cast<RawEndpoint&>(r).v6()]; });
  return usage;
}

}  // namespace

Result<void> show_sockstat(NetworkNamespace& net, TextSink& out) {
  Stack& stack = net.inet();
  const Usage u = TRY(usage_of(stack));
  const uint32_t all = u.udp[0] + u.udp[1] + u.tcp[0] + u.tcp[1] + u.raw[0] + u.raw[1];
  format(out, "sockets: used {}\n", all);
  format(out, "TCP: inuse {} orphan {} tw {} alloc {} mem {}\n", u.tcp[0], u.tcp_orphans, u.tcp_waiting,
         u.tcp[0] + u.tcp[1], u.pages(u.tcp_bytes));
  format(out, "UDP: inuse {} mem {}\nUDPLITE: inuse 0\nRAW: inuse {}\n", u.udp[0], u.pages(u.udp_bytes),
         u.raw[0]);
  format(out, "FRAG: inuse {} memory {}\n", stack.fragments.count(), stack.fragments.memory());
  return {};
}

Result<void> show_sockstat6(NetworkNamespace& net, TextSink& out) {
  const Usage u = TRY(usage_of(net.inet()));
  format(out, "TCP6: inuse {}\nUDP6: inuse {}\nUDPLITE6: inuse 0\nRAW6: inuse {}\nFRAG6: inuse 0 memory 0\n",
         u.tcp[1], u.udp[1], u.raw[1]);
  return {};
}

}  // namespace runsc::net
