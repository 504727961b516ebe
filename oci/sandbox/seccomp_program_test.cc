#include "oci/sandbox/seccomp_program.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <random>

#include "oci/spec/syscall_names.h"

namespace runsc::oci {
namespace {

// What the sentry would answer.
uint32_t run(const std::vector<sock_filter>& program, const seccomp_data& data) {
  uint32_t a = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& op = program[at];
    switch (op.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + op.k, sizeof a);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= op.k;
        break;
      case BPF_JMP | BPF_JA:
        at += op.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += a == op.k ? op.jt : op.jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        at += a > op.k ? op.jt : op.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += a >= op.k ? op.jt : op.jf;
        break;
      case BPF_RET | BPF_K:
        return op.k;
      default:
        FAIL("unexpected instruction");
    }
  }
  FAIL("ran off the end");
  return 0;
}

uint32_t answer(const SeccompProfile& profile, uint32_t number,
                std::initializer_list<uint64_t> arguments = {}) {
  const auto program = seccomp_program(profile);
  if (!program) FAIL(program.error().text);
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = AUDIT_ARCH_X86_64;
  size_t i = 0;
  for (const uint64_t argument : arguments) data.args[i++] = argument;
  return run(*program, data);
}

constexpr uint32_t kDenied = SECCOMP_RET_ERRNO | EPERM;

TEST_CASE("names of system calls have their numbers", "[oci][seccomp]") {
  CHECK(system_call_number("read") == SYS_read);
  CHECK(system_call_number("io_uring_setup") == SYS_io_uring_setup);
  CHECK(system_call_number("clone3") == SYS_clone3);
  CHECK(system_call_number("rseq") == SYS_rseq);
  CHECK(system_call_number("mseal") == 462U);
  CHECK_FALSE(system_call_number("socketcall"));
  CHECK_FALSE(system_call_number(""));
}

TEST_CASE("a profile allows what it names", "[oci][seccomp]") {
  SeccompProfile profile{"SCMP_ACT_ERRNO", {}, {}, {}, {}};
  profile.rules.push_back({{"read", "write", "no_such_call", "exit_group"}, "SCMP_ACT_ALLOW", {}, {}});
  profile.rules.push_back({{"mount"}, "SCMP_ACT_ERRNO", ENODEV, {}});
  profile.rules.push_back({{"ptrace"}, "SCMP_ACT_KILL_PROCESS", {}, {}});
  CHECK(answer(profile, SYS_read) == SECCOMP_RET_ALLOW);
  CHECK(answer(profile, SYS_exit_group) == SECCOMP_RET_ALLOW);
  CHECK(answer(profile, SYS_open) == kDenied);
  CHECK(answer(profile, SYS_mount) == (SECCOMP_RET_ERRNO | ENODEV));
  CHECK(answer(profile, SYS_ptrace) == SECCOMP_RET_KILL_PROCESS);
  CHECK(answer(profile, SYS_syslog) == SECCOMP_RET_ALLOW);
  profile.rules.push_back({{"syslog"}, "SCMP_ACT_ERRNO", {}, {}});
  CHECK(answer(profile, SYS_syslog) == kDenied);
  // Newer than all that it knows, and numbers of x32.
  CHECK(answer(profile, 1000) == (SECCOMP_RET_ERRNO | ENOSYS));
  CHECK(answer(profile, 0x40000000) == (SECCOMP_RET_ERRNO | ENOSYS));
  seccomp_data other{};
  other.arch = AUDIT_ARCH_I386;
  CHECK(run(*seccomp_program(profile), other) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("conditions on one argument are alternatives, on several they go together", "[oci][seccomp]") {
  SeccompProfile profile{"SCMP_ACT_ERRNO", 1, {}, {}, {}};
  profile.rules.push_back(
      {{"personality"}, "SCMP_ACT_ALLOW", {}, {{0, 0, 0, "SCMP_CMP_EQ"}, {0, 8, 0, "SCMP_CMP_EQ"}}});
  profile.rules.push_back(
      {{"socket"}, "SCMP_ACT_ALLOW", {}, {{0, 40, 0, "SCMP_CMP_NE"}, {1, 1, 0, "SCMP_CMP_EQ"}}});
  profile.rules.push_back({{"clone"}, "SCMP_ACT_ALLOW", {}, {{0, 0x7e020000, 0, "SCMP_CMP_MASKED_EQ"}}});
  CHECK(answer(profile, SYS_personality, {0}) == SECCOMP_RET_ALLOW);
  CHECK(answer(profile, SYS_personality, {8}) == SECCOMP_RET_ALLOW);
  CHECK(answer(profile, SYS_personality, {9}) == kDenied);
  CHECK(answer(profile, SYS_personality, {uint64_t{8} << 32 | 8}) == kDenied);
  CHECK(answer(profile, SYS_socket, {2, 1}) == SECCOMP_RET_ALLOW);
  CHECK(answer(profile, SYS_socket, {40, 1}) == kDenied);
  CHECK(answer(profile, SYS_socket, {2, 2}) == kDenied);
  CHECK(answer(profile, SYS_clone, {0x11}) == SECCOMP_RET_ALLOW);
  CHECK(answer(profile, SYS_clone, {0x20000011}) == kDenied);
}

bool holds(const SeccompArgument& a, uint64_t value) {
  if (a.op == "SCMP_CMP_NE") return value != a.value;
  if (a.op == "SCMP_CMP_LT") return value < a.value;
  if (a.op == "SCMP_CMP_LE") return value <= a.value;
  if (a.op == "SCMP_CMP_EQ") return value == a.value;
  if (a.op == "SCMP_CMP_GE") return value >= a.value;
  if (a.op == "SCMP_CMP_GT") return value > a.value;
  return (value & a.value) == a.value_two;
}

TEST_CASE("comparisons of 64 bits", "[oci][seccomp]") {
  std::mt19937_64 random(20261123);
  const uint64_t values[] = {0, 1, 5, 6, 0xffffffff, 0x100000000, 0x100000005, 0x500000000, ~uint64_t{0}};
  for (const char* op : {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE",
                         "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"}) {
    for (const uint64_t wanted : values) {
      const SeccompArgument first{2, wanted, values[random() % std::size(values)], op};
      const SeccompArgument second{4, 5, 0, "SCMP_CMP_GE"};
      SeccompProfile profile{"SCMP_ACT_KILL", {}, {}, {}, {}};
      profile.rules.push_back({{"ioctl"}, "SCMP_ACT_LOG", {}, {first, second}});
      for (const uint64_t value : values)
        for (const uint64_t other : {uint64_t{4}, uint64_t{5}})
          CHECK(answer(profile, SYS_ioctl, {0, 0, value, 0, other}) ==
                (holds(first, value) && holds(second, other) ? SECCOMP_RET_LOG : SECCOMP_RET_KILL_THREAD));
    }
  }
}

TEST_CASE("profiles of any size find the right answer", "[oci][seccomp]") {
  std::mt19937 random(1123);
  const char* const names[] = {"read",    "write", "open",   "stat",     "poll",   "mmap",
                               "ioctl",   "pipe",  "dup",    "futex",    "socket", "accept",
                               "openat2", "statx", "clone3", "io_submit"};
  const std::pair<const char*, uint32_t> actions[] = {{"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
                                                      {"SCMP_ACT_ERRNO", kDenied},
                                                      {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP}};
  for (int round = 0; round < 300; ++round) {
    SeccompProfile profile{"SCMP_ACT_LOG", {}, {}, {}, {}};
    std::map<std::string, uint32_t> wanted;
    for (const char* name : names) {
      if (random() % 2 != 0) continue;
      const auto& [action, code] = actions[random() % std::size(actions)];
      SeccompRule rule{{name}, action, {}, {}};
      // Long blocks push jumps past what one instruction reaches.
      for (uint32_t i = 0; i < random() % 40; ++i)
        profile.rules.push_back({{name}, "SCMP_ACT_TRAP", {}, {{i % 6, ~uint64_t{i}, 0, "SCMP_CMP_EQ"}}});
      profile.rules.push_back(rule);
      wanted[name] = code;
    }
    for (const char* name : names)
      CHECK(answer(profile, *system_call_number(name)) ==
            (wanted.contains(name) ? wanted[name] : uint32_t{SECCOMP_RET_LOG}));
  }
}

TEST_CASE("what cannot be is refused", "[oci][seccomp]") {
  SeccompProfile profile{"SCMP_ACT_ALLOW", 5, {}, {}, {}};
  CHECK(seccomp_program(profile).error().text ==
        "config.json: linux.seccomp.defaultAction: action SCMP_ACT_ALLOW takes no errno");
  profile.default_errno_ret.reset();
  profile.rules.push_back({{"read"}, "SCMP_ACT_NOTIFY", {}, {}});
  CHECK(seccomp_program(profile).error().text ==
        "config.json: linux.seccomp.syscalls[0].action: action SCMP_ACT_NOTIFY is not supported");
  profile.rules.clear();
  for (uint64_t i = 0; i < 2000; ++i)
    profile.rules.push_back({{"read"}, "SCMP_ACT_TRAP", {}, {{0, i, 0, "SCMP_CMP_EQ"}}});
  CHECK(seccomp_program(profile).error().text == "config.json: linux.seccomp: too many rules");
}

}  // namespace
}  // namespace runsc::oci
