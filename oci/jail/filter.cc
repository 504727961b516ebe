#include "oci/jail/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "oci/jail/bpf_assembler.h"

namespace runsc::oci {
namespace {

uint32_t action_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::allow:
      return SECCOMP_RET_ALLOW;
    case Verdict::no_such_call:
      return SECCOMP_RET_ERRNO | ENOSYS;
  }
  return SECCOMP_RET_KILL_PROCESS;
}

// Leaves for `next` if a condition does not hold.
void emit_alternative(BpfAssembler& code, const Alternative& alternative, uint32_t own_process,
                      uint32_t action) {
  const BpfAssembler::Label next = code.new_label();
  for (unsigned i = 0; i < alternative.count; ++i) {
    const Condition& condition = alternative.conditions[i];
    const bool own = condition.kind == Condition::Kind::own_process;
    code.load_argument_low(condition.argument);
    if (condition.mask != 0xffffffff) code.and_with(condition.mask);
    code.jump_if_not_equal(own ? own_process : condition.value, next);
  }
  code.give_back(action);
  code.bind(next);
}

// One load and one comparison a value where an argument is compared with many, as for ioctl requests.
bool is_list_of_values(std::span<const Alternative> alternatives) {
  for (const Alternative& alternative : alternatives) {
    const Condition& first = alternative.conditions[0];
    if (alternative.count != 1 || first.mask != 0xffffffff || first.kind != Condition::Kind::masked_equal ||
        first.argument != alternatives[0].conditions[0].argument) {
      return false;
    }
  }
  return !alternatives.empty();
}

void emit_list_of_values(BpfAssembler& code, std::span<const Alternative> alternatives, uint32_t action) {
  const BpfAssembler::Label match = code.new_label();
  code.load_argument_low(alternatives[0].conditions[0].argument);
  for (const Alternative& alternative : alternatives) {
    code.jump_if_equal(alternative.conditions[0].value, match);
  }
  code.give_back(SECCOMP_RET_KILL_PROCESS);
  code.bind(match);
  code.give_back(action);
}

// Expects the call number loaded; every way through a rule that matches ends in a return.
void emit_rule(BpfAssembler& code, const Rule& rule, uint32_t own_process) {
  const uint32_t action = action_of(rule.verdict);
  const BpfAssembler::Label next = code.new_label();
  code.jump_if_not_equal(rule.number, next);
  if (rule.alternatives.empty()) {
    code.give_back(action);
  } else if (is_list_of_values(rule.alternatives)) {
    emit_list_of_values(code, rule.alternatives, action);
  } else {
    for (const Alternative& alternative : rule.alternatives) {
      emit_alternative(code, alternative, own_process, action);
    }
    code.give_back(SECCOMP_RET_KILL_PROCESS);
  }
  code.bind(next);
}

}  // namespace

Expected<std::vector<sock_filter>> build_filter(std::span<const Rule> rules, uint32_t own_process) {
  BpfAssembler code;
  const BpfAssembler::Label native = code.new_label();
  code.load_architecture();
  code.jump_if_equal(AUDIT_ARCH_X86_64, native);
  code.give_back(SECCOMP_RET_KILL_PROCESS);
  code.bind(native);
  // The numbers of the x32 calls, which share the architecture, have bit 30 set: no rule has.
  code.load_number();
  for (const Rule& rule : rules) emit_rule(code, rule, own_process);
  code.give_back(SECCOMP_RET_KILL_PROCESS);
  auto program = code.finish();
  if (!program) return fail("the seccomp filter cannot be assembled", kExitSandbox);
  return *std::move(program);
}

Expected<void> close_jail() {
  std::vector<sock_filter> program = OCI_TRY(build_filter(jail_rules(), static_cast<uint32_t>(::getpid())));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return fail_errno("cannot set no_new_privs", kExitSandbox);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  if (result < 0) return fail_errno("cannot install the seccomp filter", kExitSandbox);
  if (result > 0) return fail("a thread cannot take the seccomp filter", kExitSandbox);
  return {};
}

std::string describe_jail() {
  std::string text;
  const auto line = [&text](std::string_view indent, std::string_view left, std::string_view reason) {
    constexpr size_t kColumn = 44;
    std::string row(indent);
    row.append(left);
    row.append(row.size() < kColumn ? kColumn - row.size() : 1, ' ');
    text.append(row).append(reason).append("\n");
  };
  for (const Rule& rule : jail_rules()) {
    const bool refused = rule.verdict == Verdict::no_such_call;
    line("", std::string(rule.name) + (refused ? " -> ENOSYS" : ""), rule.reason);
    for (const Alternative& alternative : rule.alternatives)
      line("    ", alternative.text, alternative.reason);
  }
  const auto allowed = std::count_if(jail_rules().begin(), jail_rules().end(),
                                     [](const Rule& rule) { return rule.verdict == Verdict::allow; });
  text += std::to_string(allowed) + " system calls; any other kills the process\n";
  return text;
}

}  // namespace runsc::oci
