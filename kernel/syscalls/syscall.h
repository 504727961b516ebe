// What a system call is: one free function `Result<T> sys_name(Task&, arguments...)`, listed in table.cc.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "kernel/base/result.h"
#include "kernel/task.h"
#include "mm/user_ptr.h"

namespace runsc::kernel {

using mm::UserPtr;

// Arguments are the raw register cut to the parameter's type: int, uint32_t, int64_t, uint64_t, size_t,
// enums, UserPtr<T>. The high bits that the type does not have are dropped once, here.
template <class T>
constexpr T decode_argument(uint64_t raw) {
  if constexpr (requires { T(raw).address(); })
    return T(raw);
  else
    return static_cast<T>(raw);
}

// What the dispatcher does with the result. Calls that change the flow of control (exit, execve,
// rt_sigreturn) return this.
enum class Flow : uint8_t {
  value,      // rax = value
  no_return,  // the task ends
  registers,  // registers were set by the call (execve, rt_sigreturn): leave them
};
struct SyscallResult {
  Flow flow;
  int64_t value;  // or -errno
};

// Takes its arguments out of the registers of the system call.
using SyscallFunction = SyscallResult (*)(Task&, const arch::UserRegs&);

// Argument `index` of the x86-64 system call convention.
constexpr uint64_t raw_argument(const arch::UserRegs& r, size_t index) {
  switch (index) {
    case 0:
      return r.rdi;
    case 1:
      return r.rsi;
    case 2:
      return r.rdx;
    case 3:
      return r.r10;
    case 4:
      return r.r8;
    default:
      return r.r9;
  }
}

namespace detail {
template <class R>
SyscallResult to_result(R&& r) {
  if (!r) return {Flow::value, -static_cast<int64_t>(r.error())};
  using T = typename std::remove_cvref_t<R>::value_type;
  if constexpr (std::is_void_v<T>)
    return {Flow::value, 0};
  else if constexpr (std::is_same_v<T, Flow>)
    return {*r, 0};
  else
    return {Flow::value, static_cast<int64_t>(*r)};
}
template <auto F>
struct Adapter;
template <class R, class... A, Result<R> (*F)(Task&, A...)>
struct Adapter<F> {
  static SyscallResult call(Task& task, [[maybe_unused]] const arch::UserRegs& regs) {
    return [&]<size_t... I>(std::index_sequence<I...>) {
      return to_result(F(task, decode_argument<A>(raw_argument(regs, I))...));
    }
    (std::index_sequence_for<A...>{});
  }
};
}  // namespace detail

// Entry of the table: syscall_adapter<sys_read>.
template <auto F>
inline constexpr SyscallFunction syscall_adapter = &detail::Adapter<F>::call;

enum class Support : uint8_t { full, partial, absent };

// Rows stand in the tables of their neighbourhoods: table_files.cc, table_tasks.cc, ...; table.cc joins them.
struct SyscallRow {
  uint16_t number;
  const char* name;
  Support support;
  const char* note;          // what lacks, for docs/compatibility.md; "" when full
  SyscallFunction function;  // null: ENOSYS
  const char* arguments;     // for --strace: "fd,buf_out,size" style, see strace.cc
};

}  // namespace runsc::kernel
