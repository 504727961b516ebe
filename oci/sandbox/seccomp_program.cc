#include "oci/sandbox/seccomp_program.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "oci/spec/syscall_names.h"

namespace runsc::oci {
namespace {

using Code = std::vector<sock_filter>;

constexpr uint32_t kX32Bit = 0x40000000;

sock_filter load(size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)); }
sock_filter give_back(uint32_t answer) { return BPF_STMT(BPF_RET | BPF_K, answer); }

struct ActionName {
  std::string_view name;
  uint32_t answer;
  bool takes_errno;
};

constexpr ActionName kActions[] = {
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false},
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false},
    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true},
    {"SCMP_ACT_LOG", SECCOMP_RET_LOG, false},
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false},
};

Expected<uint32_t> answer_of(const std::string& action, std::optional<uint32_t> errno_ret,
                             const std::string& field) {
  for (const ActionName& known : kActions) {
    if (known.name != action) continue;
    if (errno_ret && !known.takes_errno) return fail(field + ": action " + action + " takes no errno");
    if (!known.takes_errno) return known.answer;
    const uint32_t number = errno_ret.value_or(EPERM);
    if (number > SECCOMP_RET_DATA) return fail(field + ": errno " + std::to_string(number) + " is too large");
    return known.answer | number;
  }
  return fail(field + ": action " + action + " is not supported");
}

// One condition: what holds goes on behind it, what does not skips `rest` more instructions.
Code condition(const SeccompArgument& argument, size_t rest) {
  const size_t low_at = offsetof(seccomp_data, args) + argument.index * sizeof(uint64_t);
  const bool masked = argument.op == "SCMP_CMP_MASKED_EQ";
  const uint64_t value = masked ? argument.value_two : argument.value;
  const auto high = static_cast<uint32_t>(value >> 32), low = static_cast<uint32_t>(value);
  const auto skip = static_cast<uint8_t>(rest);
  if (masked) {
    const auto mask_high = static_cast<uint32_t>(argument.value >> 32);
    const auto mask_low = static_cast<uint32_t>(argument.value);
    return {load(low_at + 4),
            BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask_high),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, static_cast<uint8_t>(skip + 3)),
            load(low_at),
            BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask_low),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 0, skip)};
  }
  if (argument.op == "SCMP_CMP_EQ" || argument.op == "SCMP_CMP_NE") {
    const bool equal = argument.op == "SCMP_CMP_EQ";
    return {load(low_at + 4),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, static_cast<uint8_t>(equal ? skip + 2 : 2)),
            load(low_at),
            equal ? sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 0, skip)
                  : sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, skip, 0)};
  }
  // Greater, or greater or equal; the other two are what these are not.
  const bool above = argument.op == "SCMP_CMP_GT" || argument.op == "SCMP_CMP_GE";
  const bool or_equal = argument.op == "SCMP_CMP_GE" || argument.op == "SCMP_CMP_LT";
  const uint8_t yes = above ? 0 : skip, no = above ? skip : 0;
  const auto compare_low = static_cast<uint16_t>(BPF_JMP | BPF_K | (or_equal ? BPF_JGE : BPF_JGT));
  return {load(low_at + 4), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, high, static_cast<uint8_t>(yes + 3), 0),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, static_cast<uint8_t>(no + 2)), load(low_at),
          BPF_JUMP(compare_low, low, yes, no)};
}

// What becomes of one call: conditions with their answers in order, and the answer if none of them holds.
struct Chain {
  struct Link {
    std::vector<SeccompArgument> conditions;
    uint32_t answer;
  };
  std::vector<Link> links;
  std::optional<uint32_t> always;
};

Code code_of(const Chain& chain, uint32_t default_answer) {
  if (chain.always) return {give_back(*chain.always)};
  Code code;
  for (const Chain::Link& link : chain.links) {
    Code block = {give_back(link.answer)};
    for (auto it = link.conditions.rbegin(); it != link.conditions.rend(); ++it) {
      Code one = condition(*it, block.size());
      one.insert(one.end(), block.begin(), block.end());
      block = std::move(one);
    }
    code.insert(code.end(), block.begin(), block.end());
  }
  code.push_back(give_back(default_answer));
  return code;
}

// From `first` on, up to the next one's.
struct Range {
  uint32_t first;
  Code code;
};

// The number is loaded: finds its range by halves.
Code search(std::span<const Range> ranges) {
  if (ranges.size() == 1) return ranges[0].code;
  const size_t half = ranges.size() / 2;
  const Code below = search(ranges.first(half)), above = search(ranges.subspan(half));
  constexpr size_t kLongestJump = 255;
  Code code;
  if (below.size() <= kLongestJump) {
    code.push_back(
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ranges[half].first, static_cast<uint8_t>(below.size()), 0));
  } else {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ranges[half].first, 0, 1));
    code.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(below.size())));
  }
  code.insert(code.end(), below.begin(), below.end());
  code.insert(code.end(), above.begin(), above.end());
  return code;
}

bool same(const Code& a, const Code& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const sock_filter& x, const sock_filter& y) {
    return x.code == y.code && x.jt == y.jt && x.jf == y.jf && x.k == y.k;
  });
}

void add(std::vector<Range>& ranges, uint32_t first, Code code) {
  if (!ranges.empty() && same(ranges.back().code, code)) return;
  ranges.push_back({first, std::move(code)});
}

void add_rule(Chain& chain, const SeccompRule& rule, uint32_t answer) {
  if (rule.args.empty()) {
    if (!chain.always) chain.always = answer;
    return;
  }
  std::set<uint32_t> indexes;
  for (const SeccompArgument& argument : rule.args) indexes.insert(argument.index);
  if (indexes.size() == rule.args.size()) {
    chain.links.push_back({rule.args, answer});
    return;
  }
  for (const SeccompArgument& argument : rule.args) chain.links.push_back({{argument}, answer});
}

bool refuses(uint32_t answer) {
  const uint32_t action = answer & SECCOMP_RET_ACTION_FULL;
  return action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG && action != SECCOMP_RET_TRACE;
}

}  // namespace

Expected<std::vector<sock_filter>> seccomp_program(const SeccompProfile& profile) {
  const std::string field = "config.json: linux.seccomp";
  const uint32_t answer =
      OCI_TRY(answer_of(profile.default_action, profile.default_errno_ret, field + ".defaultAction"));
  std::map<uint32_t, Chain> chains;
  uint32_t last = 0;
  for (size_t i = 0; i < profile.rules.size(); ++i) {
    const SeccompRule& rule = profile.rules[i];
    const uint32_t of_rule = OCI_TRY(
        answer_of(rule.action, rule.errno_ret, field + ".syscalls[" + std::to_string(i) + "].action"));
    for (const std::string& name : rule.names) {
      const std::optional<uint32_t> number = system_call_number(name);
      if (!number) continue;
      last = std::max(last, *number);
      add_rule(chains[*number], rule, of_rule);
    }
  }
  // Engines leave syslog(2) out to guard the host's log. Here it is the container's own, where gVisor's users
  // look.
  if ((answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && !chains.empty())
    chains.try_emplace(uint32_t{SYS_syslog}, Chain{{}, SECCOMP_RET_ALLOW});
  std::vector<Range> ranges;
  uint32_t next = 0;
  for (const auto& [number, chain] : chains) {
    if (number > next || ranges.empty()) add(ranges, next, {give_back(answer)});
    if (number == 0) ranges.clear();
    add(ranges, number, code_of(chain, answer));
    next = number + 1;
  }
  add(ranges, next, {give_back(refuses(answer) && !chains.empty() ? SECCOMP_RET_ERRNO | ENOSYS : answer)});
  // Numbers of x32 are no calls here, whatever the profile says of that architecture.
  add(ranges, kX32Bit, {give_back(SECCOMP_RET_ERRNO | ENOSYS)});
  Code code = {load(offsetof(seccomp_data, arch)),
               BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
               give_back(SECCOMP_RET_KILL_PROCESS), load(offsetof(seccomp_data, nr))};
  const Code found = search(ranges);
  code.insert(code.end(), found.begin(), found.end());
  if (code.size() > BPF_MAXINSNS) return fail(field + ": too many rules");
  return code;
}

}  // namespace runsc::oci
