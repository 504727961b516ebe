// Host only. The allow-list of the sandbox process: every host system call that it may make once the jail is
// closed, with the arguments it may pass and the reason. Everything else kills the process. The filter, its
// tests and `runsc debug --seccomp` come from this table.
#pragma once

#include <cstdint>
#include <span>

namespace runsc::oci {

// A condition on the low word of one argument: (argument & mask) == value. Enough for every argument
// constrained here: file descriptors, request numbers, process ids and modes are 32 bits wide in the kernel,
// and the flags of mmap(2) and clone(2) that matter lie in the low word.
struct Condition {
  enum class Kind : uint8_t { masked_equal, own_process };
  unsigned argument = 0;
  Kind kind = Kind::masked_equal;
  uint32_t mask = 0xffffffff;
  uint32_t value = 0;  // own_process: the pid of the caller, put in when the filter is built
};

// Allowed if each of its conditions holds.
struct Alternative {
  Condition conditions[2];
  unsigned count = 0;
  const char* text = "";  // for people: "request == KVM_RUN"
  const char* reason = "";
};

enum class Verdict : uint8_t { allow, no_such_call };

struct Rule {
  uint32_t number;
  const char* name;
  // Empty: any arguments. Otherwise one of these must hold.
  std::span<const Alternative> alternatives;
  const char* reason;
  Verdict verdict = Verdict::allow;
};

inline constexpr unsigned kMaxAllowed = 60;

// In the order of the filter: what runs most often first.
std::span<const Rule> jail_rules();

}  // namespace runsc::oci
