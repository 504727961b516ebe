// What the compiler and the headers expect of a C++ runtime in a program that has none. A throw of the
// standard library is a broken invariant of ours.
#include <cstddef>
#include <cstdint>
#include <new>

#include "kernel/base/check.h"

extern "C" {
[[noreturn]] void __cxa_pure_virtual() { PANIC("a pure virtual function was called"); }
[[noreturn]] void abort() { PANIC("abort"); }
[[noreturn]] void __assert_fail(const char* what, const char* file, unsigned line, const char*) noexcept {
  runsc::panic(file, static_cast<int>(line), what);
}
void* __dso_handle = nullptr;

// 128-bit division, which the compiler calls by this name (libgcc's own is built for user code).
unsigned __int128 __udivti3(unsigned __int128 n, unsigned __int128 d) {
  const auto high = static_cast<uint64_t>(n >> 64), low = static_cast<uint64_t>(n);
  if (d >> 64 == 0) {
    const auto divisor = static_cast<uint64_t>(d);
    uint64_t quotient_low, rest = high % divisor;
    // SAFETY: rest < divisor, so the quotient fits.
    asm("divq %3" : "=a"(quotient_low), "+d"(rest) : "a"(low), "r"(divisor) : "cc");
    return static_cast<unsigned __int128>(high / divisor) << 64 | quotient_low;
  }
  unsigned __int128 quotient = 0;
  for (int shift = __builtin_clzll(static_cast<uint64_t>(d >> 64)); shift >= 0; --shift) {
    if (n >> shift < d) continue;
    n -= d << shift;
    quotient |= static_cast<unsigned __int128>(1) << shift;
  }
  return quotient;
}

void* memchr(const void* p, int c, size_t n) {
  for (auto* s = static_cast<const unsigned char*>(p); n-- > 0; ++s)
    if (*s == static_cast<unsigned char>(c)) return const_cast<unsigned char*>(s);
  return nullptr;
}
}

// Virtual destructors name them; every class that is deleted has its own (HeapObject).
void operator delete(void*) noexcept { PANIC("operator delete of a class without one"); }
void operator delete(void*, size_t) noexcept { PANIC("operator delete of a class without one"); }

namespace std {

const nothrow_t nothrow{};

[[noreturn]] void __throw_out_of_range_fmt(const char* what, ...) { runsc::panic("", 0, what); }
[[noreturn]] void __throw_length_error(const char* what) { runsc::panic("", 0, what); }
[[noreturn]] void __throw_logic_error(const char* what) { runsc::panic("", 0, what); }
[[noreturn]] void __throw_invalid_argument(const char* what) { runsc::panic("", 0, what); }
[[noreturn]] void __throw_bad_function_call() { PANIC("bad function call"); }

}  // namespace std
