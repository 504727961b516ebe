#include "kernel/loader/arguments.h"

#include <algorithm>

#include "mm/user_copy.h"

namespace runsc::kernel {

Arguments::Arguments(uint64_t stack_limit) {
  constexpr uint64_t kMost = 6 << 20, kLeast = 128 << 10;
  limit_ = std::max(std::min(stack_limit / 4, kMost), kLeast);
}

Result<void> Arguments::account(std::string_view s) {
  uint64_t cost = s.size() + 1 + sizeof(uint64_t);
  if (s.size() >= kMaxArgString || bytes_ + cost > limit_) return Errno::toobig;
  bytes_ += cost;
  return {};
}

Result<void> Arguments::add_arg(std::string_view s) { return insert_arg(args_.size(), s); }

Result<void> Arguments::add_env(std::string_view s) {
  TRY(account(s));
  return env_.push_back(TRY(String::from(s)));
}

Result<void> Arguments::insert_arg(size_t at, std::string_view s) {
  TRY(account(s));
  return args_.insert(at, TRY(String::from(s)));
}

void Arguments::remove_first_arg() {
  if (args_.empty()) return;
  bytes_ -= args_[0].size() + 1 + sizeof(uint64_t);
  args_.erase(0);
}

Result<void> Arguments::read_array(mm::AddressSpace& space, uint64_t array, Vec<String>& out) {
  if (array == 0) return {};  // Linux takes null for an empty list
  for (;; array += sizeof(uint64_t)) {
    uint64_t pointer = TRY(mm::copy_in(space, mm::UserPtr<uint64_t>(array)));
    if (pointer == 0) return {};
    auto s = mm::copy_in_string(space, pointer, kMaxArgString);
    if (!s) return s.error() == Errno::nametoolong ? Errno::toobig : s.error();
    TRY(account(s->view()));
    TRY(out.push_back(std::move(*s)));
  }
}

Result<void> Arguments::read_user(mm::AddressSpace& space, uint64_t argv, uint64_t envp) {
  TRY(read_array(space, argv, args_));
  TRY(read_array(space, envp, env_));
  // A program always has a name: Linux 5.18 and later start it with an empty one.
  if (args_.empty()) TRY(add_arg(""));
  return {};
}

}  // namespace runsc::kernel
