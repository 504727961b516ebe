#include "net/inet/interface_settings.h"

namespace runsc::net {

namespace {

template <auto Field>
Setting& conf(InterfaceSettings& s) {
  return s.*Field;
}
template <auto Field, bool V6>
Setting& neighbour(InterfaceSettings& s) {
  return s.neighbours[V6].*Field;
}

using I = InterfaceSettings;
using N = NeighbourSettings;
constexpr uint32_t kMost = 0x7fffffff;

constexpr SettingRow kConf4[] = {
    {"accept_local", conf<&I::accept_local>},
    {"arp_accept", conf<&I::arp_accept>},
    {"arp_announce", conf<&I::arp_announce>},
    {"arp_ignore", conf<&I::arp_ignore>},
    {"arp_notify", conf<&I::arp_notify>},
    {"force_igmp_version", conf<&I::force_igmp_version>},
    {"promote_secondaries", conf<&I::promote_secondaries>},
    {"rp_filter", conf<&I::rp_filter>},
};
constexpr SettingRow kConf6[] = {
    {"accept_dad", conf<&I::accept_dad>},
    {"accept_ra", conf<&I::accept_ra>},
    {"accept_ra_defrtr", conf<&I::accept_ra_defrtr>},
    {"accept_ra_mtu", conf<&I::accept_ra_mtu>},
    {"accept_ra_pinfo", conf<&I::accept_ra_pinfo>},
    {"accept_redirects", conf<&I::accept_redirects6>},
    {"addr_gen_mode", conf<&I::addr_gen_mode>, 0, 3},
    {"autoconf", conf<&I::autoconf>},
    {"dad_transmits", conf<&I::dad_transmits>},
    {"disable_ipv6", conf<&I::disable_ipv6>},
    {"force_mld_version", conf<&I::force_mld_version>},
    {"hop_limit", conf<&I::hop_limit>, 1, 255},
    {"router_solicitation_delay", conf<&I::router_solicit_delay_s>, 0, 3600},
    {"router_solicitation_interval", conf<&I::router_solicit_interval_s>, 1, 3600},
    {"router_solicitations", conf<&I::router_solicitations>, 0, kMost, 1, true},
};

template <bool V6>
std::span<const SettingRow> neighbour_rows_of() {
  static constexpr SettingRow kRows[] = {
      {"base_reachable_time", neighbour<&N::base_reachable_ms, V6>, 0, 1'000'000, 1000},
      {"base_reachable_time_ms", neighbour<&N::base_reachable_ms, V6>},
      {"delay_first_probe_time", neighbour<&N::delay_first_probe_s, V6>},
      {"gc_stale_time", neighbour<&N::gc_stale_s, V6>},
      {"locktime", neighbour<&N::locktime_ms, V6>, 0, 1'000'000, 10},
      {"mcast_solicit", neighbour<&N::multicast_probes, V6>, 0, 1'000'000},
      {"retrans_time_ms", neighbour<&N::retransmit_ms, V6>},
      {"ucast_solicit", neighbour<&N::unicast_probes, V6>, 0, 1'000'000},
      {"unres_qlen_bytes", neighbour<&N::queue_bytes, V6>},
  };
  return kRows;
}

}  // namespace

std::span<const SettingRow> conf_rows(bool v6) {
  return v6 ? std::span<const SettingRow>(kConf6) : std::span<const SettingRow>(kConf4);
}
std::span<const SettingRow> neighbour_rows(bool v6) {
  return v6 ? neighbour_rows_of<true>() : neighbour_rows_of<false>();
}

void InterfaceSettings::copy_from(const InterfaceSettings& other) {
  auto& from = const_cast<InterfaceSettings&>(other);
  auto copy = [&](std::span<const SettingRow> rows) {
    for (const SettingRow& row : rows)
      row.of(*this).store(row.of(from).load(std::memory_order_relaxed), std::memory_order_relaxed);
  };
  for (const bool v6 : {false, true}) {
    copy(conf_rows(v6));
    copy(neighbour_rows(v6));
  }
}

}  // namespace runsc::net
