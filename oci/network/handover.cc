#include "oci/network/handover.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace runsc::oci {
namespace {

// Names of sockets in the abstract space belong to the network namespace and go with their last owner.
constexpr std::string_view kClaim("\0runsc-network", 14);
constexpr uint32_t kIngress = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
constexpr uint32_t kEgress = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
// By these our filter is known: first of all, under a number that nobody counts up to.
constexpr uint32_t kPriority = 1;
constexpr uint32_t kFilterNumber = 0x52756e53;
// What the kernel may keep for a sandbox that is busy.
constexpr int kReceiveBuffer = 8 << 20;
constexpr int kSendBuffer = 2 << 20;

Expected<NetworkNamespaceId> id_of(const char* path) {
  struct stat st {};
  if (::stat(path, &st) != 0) return fail_errno(path);
  return NetworkNamespaceId{st.st_dev, st.st_ino};
}

// Who gives a namespace back has a socket of this name around the claim: whoever connects to it hears when it
// is gone.
constexpr std::string_view kGiver("\0runsc-network-back", 19);

struct AbstractName {
  sockaddr_un name{};
  socklen_t size;
  explicit AbstractName(std::string_view text)
      : size(static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size())) {
    name.sun_family = AF_UNIX;
    std::copy(text.begin(), text.end(), name.sun_path);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

std::unexpected<Error> claim_failed() {
  return fail_errno("the claim on the network namespace", kExitSandbox);
}

// Null: somebody has the name.
Expected<UniqueFd> take_name(std::string_view text, int type) {
  const AbstractName name(text);
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) return claim_failed();
  if (::bind(fd.get(), name.get(), name.size) == 0) return fd;
  if (errno == EADDRINUSE) return UniqueFd();
  return claim_failed();
}

Expected<UniqueFd> claim_namespace() { return take_name(kClaim, SOCK_DGRAM); }

// Null: somebody else is giving it back.
Expected<UniqueFd> become_giver() {
  UniqueFd fd = OCI_TRY(take_name(kGiver, SOCK_STREAM));
  if (fd && ::listen(fd.get(), SOMAXCONN) != 0) return claim_failed();
  return fd;
}

// Until whoever is giving the namespace back is done. False: nobody is.
Expected<bool> wait_for_giver() {
  const AbstractName name(kGiver);
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return claim_failed();
  if (::connect(fd.get(), name.get(), name.size) != 0) {
    if (errno == ECONNREFUSED) return false;
    return claim_failed();
  }
  // Nothing is ever sent.
  pollfd end{fd.get(), 0, 0};
  constexpr int kPatienceMs = 10'000;
  int n;
  while ((n = ::poll(&end, 1, kPatienceMs)) < 0 && errno == EINTR) continue;
  if (n == 0) return fail("the network namespace is being given back, and that does not end", kExitSandbox);
  return true;
}

// For a sandbox. Null: another one has it.
Expected<UniqueFd> claim_for_sandbox() {
  for (;;) {
    UniqueFd claim = OCI_TRY(claim_namespace());
    if (claim) return claim;
    // Who is not there any more may have had it a moment ago.
    if (!OCI_TRY(wait_for_giver())) return claim_namespace();
  }
}

tcmsg filter_place(uint32_t interface) {
  tcmsg tc{};
  tc.tcm_family = AF_UNSPEC;
  tc.tcm_ifindex = static_cast<int>(interface);
  tc.tcm_parent = kIngress;
  tc.tcm_handle = kFilterNumber;
  tc.tcm_info = TC_H_MAKE(kPriority << 16, htons(ETH_P_ALL));
  return tc;
}

tcmsg queue_place(uint32_t interface) {
  tcmsg tc{};
  tc.tcm_family = AF_UNSPEC;
  tc.tcm_ifindex = static_cast<int>(interface);
  tc.tcm_parent = TC_H_CLSACT;
  tc.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
  return tc;
}

// The host's protocols hear nothing of the interface any more. Packet sockets are asked before.
Expected<void> hush(Netlink& netlink, const HostInterface& interface) {
  const std::string what = "network interface " + interface.name + ": a filter for what comes in";
  NetlinkMessage queue(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
  queue.body(queue_place(interface.index)).attribute(TCA_KIND, "clsact");
  const int made = OCI_TRY(netlink.ask(queue, what));
  if (made != 0 && made != EEXIST) return fail(with_errno(what, made), kExitSandbox);
  const sock_filter drop = BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT);
  NetlinkMessage filter(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_ACK);
  filter.body(filter_place(interface.index)).attribute(TCA_KIND, "bpf");
  const size_t options = filter.begin(TCA_OPTIONS);
  filter.number<uint16_t>(TCA_BPF_OPS_LEN, 1);
  filter.attribute(TCA_BPF_OPS, &drop, sizeof drop);
  filter.number<uint32_t>(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  filter.end(options);
  const int added = OCI_TRY(netlink.ask(filter, what));
  if (added != 0) return fail(with_errno(what, added), kExitSandbox);
  return {};
}

bool has_filters(Netlink& netlink, uint32_t interface) {
  bool any = false;
  for (const uint32_t parent : {kIngress, kEgress}) {
    tcmsg tc{};
    tc.tcm_ifindex = static_cast<int>(interface);
    tc.tcm_parent = parent;
    const auto listed = netlink.list(NetlinkMessage(RTM_GETTFILTER, NLM_F_DUMP).body(tc), "filters",
                                     [&](uint16_t, const NetlinkAnswer&) { any = true; });
    any |= !listed.has_value();
  }
  return any;
}

// What hush() made, if it is there.
void let_hear(Netlink& netlink, uint32_t interface) {
  NetlinkMessage filter(RTM_DELTFILTER, NLM_F_ACK);
  filter.body(filter_place(interface)).attribute(TCA_KIND, "bpf");
  const Expected<int> removed = netlink.ask(filter, "a filter");
  if (!removed || *removed != 0 || has_filters(netlink, interface)) return;
  (void)netlink.ask(
      NetlinkMessage(RTM_DELQDISC, NLM_F_ACK).body(queue_place(interface)).attribute(TCA_KIND, "clsact"),
      "a queue");
}

// Linux takes tags of VLANs out of frames, and packet sockets get them like those that had none; what belongs
// to another VLAN is not for this interface. Tag 0 is a priority alone.
bool leave_other_vlans_out(int socket) {
  constexpr uint32_t kTagThere = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT);
  constexpr uint32_t kTag = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG);
  sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kTagThere),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
                         BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kTag),
                         BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, ~uint32_t{0}),
                         BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program{std::size(steps), steps};
  return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

Expected<HostWire> open_wire(const HostInterface& interface) {
  const auto failed = [&] {
    return fail_errno("network interface " + interface.name + ": packet socket", kExitSandbox);
  };
  // Protocol 0: nothing comes in before it is bound.
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || !leave_other_vlans_out(fd.get())) return failed();
  const int on = 1;
  for (const int option : {PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING})
    if (::setsockopt(fd.get(), SOL_PACKET, option, &on, sizeof on) != 0) return failed();
  // As much as may be had: without the privilege, less.
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer) != 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  packet_mreq groups{};
  groups.mr_ifindex = static_cast<int>(interface.index);
  groups.mr_type = PACKET_MR_ALLMULTI;
  if (::setsockopt(fd.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof groups) != 0) return failed();
  sockaddr_ll name{};
  name.sll_family = AF_PACKET;
  name.sll_protocol = htons(ETH_P_ALL);
  name.sll_ifindex = static_cast<int>(interface.index);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return failed();
  UniqueFd doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!doorbell) return fail_errno("eventfd", kExitSandbox);
  return HostWire{std::move(fd), std::move(doorbell)};
}

bool wants_network(const Spec& spec) {
  return std::any_of(spec.linux_.namespaces.begin(), spec.linux_.namespaces.end(),
                     [](const Namespace& ns) { return ns.kind == NamespaceKind::network; });
}

}  // namespace

NetworkNamespaceId network_namespace_here() {
  return id_of("/proc/self/ns/net").value_or(NetworkNamespaceId{});
}

std::string why_left_alone(const Spec& spec, const NetworkNamespaceId& before) {
  if (!wants_network(spec)) return "config.json: linux.namespaces: names no network namespace";
  const NetworkNamespaceId here = network_namespace_here();
  const Expected<NetworkNamespaceId> machine = id_of("/proc/1/ns/net");
  if (here == before || (machine && here == *machine))
    return "config.json: linux.namespaces: the network namespace is the host's own";
  return {};
}

std::string loopback_only(const std::string& why) {
  return why + ": the container has the loopback interface only";
}

Expected<TakenNetwork> take_network() {
  TakenNetwork taken;
  Netlink netlink = OCI_TRY(Netlink::open());
  taken.network = OCI_TRY(read_host_network(netlink));
  taken.warnings = taken.network.left_out;
  if (taken.network.interfaces.empty()) return taken;
  constexpr size_t kMostInterfaces = 32;
  if (taken.network.interfaces.size() > kMostInterfaces)
    return fail("the network namespace has too many interfaces for a sandbox", kExitSandbox);
  taken.claim = OCI_TRY(claim_for_sandbox());
  if (!taken.claim) {
    taken.network = {};
    taken.warnings.push_back(loopback_only("the network namespace is another sandbox's"));
    return taken;
  }
  for (const HostInterface& interface : taken.network.interfaces) {
    // In this order: what is answered by both is broken off by one.
    OCI_TRY_VOID(hush(netlink, interface));
    taken.wires.push_back(OCI_TRY(open_wire(interface)));
  }
  return taken;
}

void give_network_back(const std::string& path) {
  // Looked at by descriptor: the path may lead elsewhere the next moment.
  const UniqueFd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const UniqueFd here(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (!there || !here || ::fstat(there.get(), &st) != 0) return;
  const NetworkNamespaceId target{st.st_dev, st.st_ino};
  if (target == network_namespace_here()) return;
  if (const auto machine = id_of("/proc/1/ns/net"); machine && *machine == target) return;
  if (::setns(there.get(), CLONE_NEWNET) != 0) return;
  // The claim is let go of first: whoever finds it taken finds the giver.
  if (const Expected<UniqueFd> giver = become_giver(); giver && *giver) {
    if (const Expected<UniqueFd> claim = claim_namespace(); claim && *claim) {
      Expected<Netlink> netlink = Netlink::open();
      // Also of those that have gone down since.
      if (netlink)
        for (const uint32_t interface : all_interfaces(*netlink)) let_hear(*netlink, interface);
    }
  }
  if (::setns(here.get(), CLONE_NEWNET) != 0) ::_exit(kExitSandbox);
}

}  // namespace runsc::oci
