#include "kernel/base/alloc.h"

#include <cstdint>

namespace runsc {

// The size stands before the object: a virtual destructor's delete does not tell it.
namespace {
constexpr size_t kHeader = 16;
}

void* HeapObject::operator new(size_t size, const std::nothrow_t&) noexcept {
  auto* raw = static_cast<char*>(kalloc(size + kHeader));
  if (!raw) return nullptr;
  *reinterpret_cast<uint64_t*>(raw) = size + kHeader;
  return raw + kHeader;
}

void HeapObject::operator delete(void* p) noexcept {
  if (!p) return;
  auto* raw = static_cast<char*>(p) - kHeader;
  kfree(raw, *reinterpret_cast<uint64_t*>(raw));
}

}  // namespace runsc
