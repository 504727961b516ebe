// The strings that a new program gets: gathered in kernel memory while the old program is still there.
#pragma once

#include <string_view>

#include "kernel/base/string.h"
#include "kernel/base/vec.h"
#include "mm/address_space.h"

namespace runsc::kernel {

inline constexpr size_t kMaxArgString = 32 * 4096;  // with NUL: E2BIG above

class Arguments {
 public:
  // Limits the total of strings and pointers: a quarter of the stack limit, at most 6 MiB, at least 128 KiB.
  explicit Arguments(uint64_t stack_limit);
  Arguments(Arguments&&) = default;

  // E2BIG, ENOMEM.
  Result<void> add_arg(std::string_view s);
  Result<void> add_env(std::string_view s);
  // Puts strings before the first argument / replaces it (#! lines).
  Result<void> insert_arg(size_t at, std::string_view s);
  void remove_first_arg();
  // From user memory: arrays of pointers that end in null. EFAULT, E2BIG.
  Result<void> read_user(mm::AddressSpace& space, uint64_t argv, uint64_t envp);

  const Vec<String>& args() const { return args_; }
  const Vec<String>& env() const { return env_; }
  uint64_t string_bytes() const { return bytes_; }

  // execveat(2) through a descriptor that is about to be closed: a script cannot be opened again.
  bool script_unreachable = false;

 private:
  Result<void> account(std::string_view s);
  Result<void> read_array(mm::AddressSpace& space, uint64_t array, Vec<String>& out);
  Vec<String> args_, env_;
  uint64_t bytes_ = 0, limit_;
};

}  // namespace runsc::kernel
