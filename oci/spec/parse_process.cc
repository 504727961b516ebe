#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "oci/spec/names.h"
#include "oci/spec/parse_parts.h"

namespace runsc::oci {
namespace {

uint64_t parse_capability_set(const JsonReader& sets, std::string_view name,
                              std::vector<std::string>& warnings) {
  const std::optional<JsonReader> list = sets.member(name);
  if (!list) return 0;
  uint64_t set = 0;
  for_each_element(*list, [&](const JsonReader& item) {
    const std::string capability = item.string();
    const std::optional<int> number = capability_number(capability);
    // The specification: values that cannot be mapped are logged as a warning, not an error.
    if (number) {
      set |= uint64_t{1} << *number;
    } else {
      warnings.push_back("config.json: " + item.path() + ": unknown capability " + capability);
    }
  });
  return set;
}

Capabilities parse_capabilities(const JsonReader& sets, std::vector<std::string>& warnings) {
  Capabilities result;
  result.bounding = parse_capability_set(sets, "bounding", warnings);
  result.effective = parse_capability_set(sets, "effective", warnings);
  result.inheritable = parse_capability_set(sets, "inheritable", warnings);
  result.permitted = parse_capability_set(sets, "permitted", warnings);
  result.ambient = parse_capability_set(sets, "ambient", warnings);
  return result;
}

std::vector<Rlimit> parse_rlimits(const JsonReader& list) {
  std::vector<Rlimit> limits;
  for_each_element(list, [&](const JsonReader& item) {
    const JsonReader type = item.required("type");
    const std::string name = type.string();
    const std::optional<int> number = rlimit_number(name);
    if (!number) type.refuse("unknown limit " + name);
    Rlimit limit{*number, item.required("soft").u64(), item.required("hard").u64()};
    if (limit.soft > limit.hard) item.refuse("soft must not be above hard");
    for (const Rlimit& other : limits) {
      if (other.resource == limit.resource) type.refuse("a second entry for " + name);
    }
    limits.push_back(limit);
  });
  return limits;
}

User parse_user(const JsonReader& node) {
  User user;
  if (const auto uid = node.member("uid")) user.uid = uid->u32();
  if (const auto gid = node.member("gid")) user.gid = gid->u32();
  if (const auto umask = node.member("umask"))
    user.umask = static_cast<uint32_t>(umask->unsigned_integer(0777));
  if (const auto gids = node.member("additionalGids")) {
    // NGROUPS_MAX of Linux.
    constexpr size_t kMaxGroups = 65536;
    if (gids->must_be_array().size() > kMaxGroups) gids->refuse("must not hold more than 65536 groups");
    for_each_element(*gids, [&](const JsonReader& item) { user.additional_gids.push_back(item.u32()); });
  }
  // (uid_t)-1 means "no change" to every system call that takes one.
  if (user.uid == UINT32_MAX) node.required("uid").refuse("4294967295 is not a valid user id");
  if (user.gid == UINT32_MAX) node.required("gid").refuse("4294967295 is not a valid group id");
  return user;
}

std::vector<std::string> parse_env(const JsonReader& list) {
  std::vector<std::string> env;
  for_each_element(list, [&](const JsonReader& item) {
    std::string text = item.string();
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) item.refuse("must be of the form NAME=value");
    env.push_back(std::move(text));
  });
  return env;
}

std::vector<std::string> parse_args(const JsonReader& list) {
  std::vector<std::string> args = list.string_array();
  if (args.empty()) list.refuse("must not be empty");
  if (args[0].empty()) list.element(0).refuse("must not be empty");
  return args;
}

WindowSize parse_console_size(const JsonReader& node) {
  WindowSize size;
  size.rows = static_cast<uint16_t>(node.required("height").unsigned_integer(UINT16_MAX));
  size.columns = static_cast<uint16_t>(node.required("width").unsigned_integer(UINT16_MAX));
  return size;
}

Scheduler parse_scheduler(const JsonReader& node) {
  struct Policy {
    std::string_view name;
    int number;
  };
  // sched(7). SCHED_ISO is nothing that Linux has.
  constexpr Policy kPolicies[] = {
      {"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2}, {"SCHED_BATCH", 3}, {"SCHED_IDLE", 5}};
  const JsonReader policy = node.required("policy");
  const std::string name = policy.string();
  Scheduler scheduler{-1, 0, 0};
  for (const Policy& known : kPolicies)
    if (known.name == name) scheduler.policy = known.number;
  if (scheduler.policy < 0) policy.refuse("policy " + name + " is not supported");
  if (const auto field = node.member("nice")) scheduler.nice = static_cast<int>(field->integer(-20, 19));
  const bool real_time = name == "SCHED_FIFO" || name == "SCHED_RR";
  if (const auto field = node.member("priority"); field && (real_time || field->integer(0, 99) != 0)) {
    if (!real_time) field->refuse("only SCHED_FIFO and SCHED_RR have one");
    scheduler.priority = static_cast<int>(field->integer(1, 99));
  }
  if (real_time && scheduler.priority == 0) node.refuse("SCHED_FIFO and SCHED_RR need a priority");
  for (const char* field : {"flags", "runtime", "deadline", "period"}) {
    const auto value = node.member(field);
    if (value && !value->json().empty() && value->json() != 0) value->refuse("is not supported");
  }
  return scheduler;
}

uint32_t parse_io_priority(const JsonReader& node) {
  constexpr std::string_view kClasses[] = {"IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"};
  constexpr uint32_t kClassShift = 13;  // ioprio_set(2)
  const JsonReader field = node.required("class");
  const std::string name = field.string();
  const auto* found = std::find(std::begin(kClasses), std::end(kClasses), name);
  if (found == std::end(kClasses)) field.refuse("unknown class " + name);
  uint32_t level = 0;
  if (const auto priority = node.member("priority"))
    level = static_cast<uint32_t>(priority->unsigned_integer(7));
  return static_cast<uint32_t>(found - std::begin(kClasses) + 1) << kClassShift | level;
}

}  // namespace

Process parse_process(const JsonReader& node, std::vector<std::string>& warnings) {
  Process process;
  if (const auto field = node.member("terminal")) process.terminal = field->boolean();
  if (const auto field = node.member("consoleSize")) process.console_size = parse_console_size(*field);
  if (const auto field = node.member("user")) process.user = parse_user(*field);
  process.args = parse_args(node.required("args"));
  if (const auto field = node.member("env")) process.env = parse_env(*field);
  process.cwd = node.required("cwd").absolute_path();
  if (const auto field = node.member("capabilities")) {
    process.capabilities = parse_capabilities(*field, warnings);
  }
  if (const auto field = node.member("rlimits")) process.rlimits = parse_rlimits(*field);
  if (const auto field = node.member("noNewPrivileges")) process.no_new_privileges = field->boolean();
  if (const auto field = node.member("oomScoreAdj")) {
    process.oom_score_adj = static_cast<int>(field->integer(-1000, 1000));
  }
  if (const auto field = node.member("scheduler")) process.scheduler = parse_scheduler(*field);
  if (const auto field = node.member("ioPriority")) process.io_priority = parse_io_priority(*field);
  if (const auto field = node.member("apparmorProfile")) process.apparmor_profile = field->string();
  if (const auto field = node.member("selinuxLabel")) process.selinux_label = field->string();
  return process;
}

}  // namespace runsc::oci
