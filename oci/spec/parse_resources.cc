#include <nlohmann/json.hpp>

#include "oci/spec/parse_parts.h"

namespace runsc::oci {
namespace {

void parse_memory(const JsonReader& node, Resources& result) {
  // -1 stands for "no limit".
  if (const auto field = node.member("limit")) result.memory_limit = field->integer(-1, INT64_MAX);
  if (const auto field = node.member("reservation"))
    result.memory_reservation = field->integer(-1, INT64_MAX);
  if (const auto field = node.member("swap")) result.memory_swap = field->integer(-1, INT64_MAX);
  if (const auto field = node.member("disableOOMKiller")) result.disable_oom_killer = field->boolean();
  for (const char* ignored : {"kernel", "kernelTCP"}) {
    if (const auto field = node.member(ignored)) field->integer(-1, INT64_MAX);
  }
  if (const auto field = node.member("swappiness")) field->u64();
  for (const char* ignored : {"useHierarchy", "checkBeforeUpdate"}) {
    if (const auto field = node.member(ignored)) field->boolean();
  }
}

void parse_cpu(const JsonReader& node, Resources& result) {
  if (const auto field = node.member("shares")) result.cpu_shares = field->u64();
  if (const auto field = node.member("quota")) result.cpu_quota = field->i64();
  if (const auto field = node.member("period")) result.cpu_period = field->u64();
  if (const auto field = node.member("cpus")) result.cpu_set = field->string();
  if (const auto field = node.member("mems")) result.memory_nodes = field->string();
  if (const auto field = node.member("burst")) field->u64();
  if (const auto field = node.member("realtimeRuntime")) field->i64();
  if (const auto field = node.member("realtimePeriod")) field->u64();
  if (const auto field = node.member("idle")) field->i64();
}

}  // namespace

Resources parse_resources(const JsonReader& node) {
  Resources result;
  if (const auto field = node.member("memory")) parse_memory(*field, result);
  if (const auto field = node.member("cpu")) parse_cpu(*field, result);
  if (const auto field = node.member("pids")) {
    if (const auto limit = field->member("limit")) result.pids_limit = limit->i64();
  }
  if (const auto field = node.member("unified")) result.unified = parse_string_map(*field);
  nlohmann::json rest = nlohmann::json::object();
  for (const char* name : {"devices", "blockIO", "hugepageLimits", "network", "rdma"}) {
    const auto field = node.member(name);
    if (!field) continue;
    const bool list = std::string_view(name) == "devices" || std::string_view(name) == "hugepageLimits";
    list ? field->must_be_array() : field->must_be_object();
    rest[name] = field->json();
  }
  if (!rest.empty()) result.raw = rest.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return result;
}

}  // namespace runsc::oci
