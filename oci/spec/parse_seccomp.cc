#include <algorithm>
#include <iterator>

#include "oci/spec/parse_parts.h"

namespace runsc::oci {
namespace {

constexpr std::string_view kActions[] = {
    "SCMP_ACT_KILL",  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",   "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW",        "SCMP_ACT_LOG",         "SCMP_ACT_NOTIFY",
};

constexpr std::string_view kOperators[] = {
    "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",        "SCMP_CMP_EQ",
    "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
};

constexpr std::string_view kArchitectures[] = {
    "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",         "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",        "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",  "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",     "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",    "SCMP_ARCH_SH",       "SCMP_ARCH_SHEB",
};

// All of them say how a filter gets into force, which is no matter where there is one thread and one kernel.
constexpr std::string_view kFlags[] = {
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
};

template <size_t N>
std::string one_of(const JsonReader& node, const std::string_view (&names)[N]) {
  std::string text = node.string();
  if (std::find(std::begin(names), std::end(names), text) == std::end(names))
    node.refuse("unknown value " + text);
  return text;
}

SeccompArgument parse_argument(const JsonReader& node) {
  SeccompArgument argument;
  argument.index = static_cast<uint32_t>(node.required("index").unsigned_integer(5));
  argument.value = node.required("value").u64();
  if (const auto field = node.member("valueTwo")) argument.value_two = field->u64();
  argument.op = one_of(node.required("op"), kOperators);
  return argument;
}

SeccompRule parse_rule(const JsonReader& node) {
  SeccompRule rule;
  const JsonReader names = node.required("names");
  rule.names = names.string_array();
  if (rule.names.empty()) names.refuse("must not be empty");
  rule.action = one_of(node.required("action"), kActions);
  if (const auto field = node.member("errnoRet")) rule.errno_ret = field->u32();
  if (const auto field = node.member("args")) {
    for_each_element(*field, [&](const JsonReader& item) { rule.args.push_back(parse_argument(item)); });
  }
  return rule;
}

}  // namespace

SeccompProfile parse_seccomp(const JsonReader& node) {
  SeccompProfile profile;
  profile.default_action = one_of(node.required("defaultAction"), kActions);
  if (const auto field = node.member("defaultErrnoRet")) profile.default_errno_ret = field->u32();
  if (const auto field = node.member("architectures"))
    for_each_element(*field, [&](const JsonReader& item) {
      profile.architectures.push_back(one_of(item, kArchitectures));
    });
  if (const auto field = node.member("flags"))
    for_each_element(*field, [&](const JsonReader& item) { profile.flags.push_back(one_of(item, kFlags)); });
  const auto listener = node.member("listenerPath");
  if (const auto field = node.member("listenerMetadata"); field && !listener)
    field->refuse("must not be set without listenerPath");
  if (listener && !listener->string().empty())
    listener->refuse("is not supported: nobody is notified of calls");
  if (const auto field = node.member("syscalls")) {
    for_each_element(*field, [&](const JsonReader& item) { profile.rules.push_back(parse_rule(item)); });
  }
  return profile;
}

}  // namespace runsc::oci
