#include "net/buffer.h"

#include <algorithm>

namespace runsc::net {

Buffer::~Buffer() {
  kfree(small_, small_size_);
  for (Block& b : blocks_)
    if (b.page) mm::put_page(*b.page);
}

Result<Buffer> Buffer::create(size_t size) {
  constexpr unsigned kMaxOrder = 3;
  Buffer buffer;
  if (size <= kSmall) {
    if (size == 0) return buffer;
    buffer.small_ = static_cast<std::byte*>(kalloc(size));
    if (!buffer.small_) return Errno::nobufs;
    buffer.size_ = buffer.small_size_ = size;
    return buffer;
  }
  unsigned order = kMaxOrder;
  for (size_t left = size; left > 0;) {
    while (order > 0 && (mm::kPageSize << (order - 1)) >= left) --order;
    Result<mm::Page*> page = mm::alloc_pages(order, mm::Zero::no);
    if (!page) {
      if (order == 0) return Errno::nobufs;
      --order;
      continue;
    }
    auto part = static_cast<uint32_t>(std::min<size_t>(left, mm::kPageSize << order));
    if (!buffer.blocks_.push_back({*page, part})) {
      mm::put_page(**page);
      return Errno::nobufs;
    }
    left -= part;
  }
  buffer.size_ = size;
  return buffer;
}

Result<void> Buffer::fill(mm::IoBuf& from) {
  if (small_) {
    if (TRY(from.get(small_, size_)) != size_) return Errno::fault;
    return {};
  }
  for (Block& b : blocks_)
    if (TRY(from.get(mm::page_data(*b.page), b.size)) != b.size) return Errno::fault;
  return {};
}

bool Buffer::read(size_t offset, std::span<std::byte> out) const {
  if (offset > size_ || out.size() > size_ - offset) return false;
  if (small_) {
    __builtin_memcpy(out.data(), small_ + offset, out.size());
    return true;
  }
  for (const Block& b : blocks_) {
    if (out.empty()) break;
    if (offset >= b.size) {
      offset -= b.size;
      continue;
    }
    const size_t n = std::min(b.size - offset, out.size());
    __builtin_memcpy(out.data(), static_cast<const std::byte*>(mm::page_data(*b.page)) + offset, n);
    out = out.subspan(n);
    offset = 0;
  }
  return true;
}

Result<void> Buffer::drain(mm::IoBuf& to, size_t offset, size_t size) const {
  size_t moved = 0;
  auto put = [&](const std::byte* bytes, size_t n) {
    Result<size_t> got = to.put(bytes, n);
    if (got) moved += *got;
    return got && *got == n;
  };
  bool whole = true;
  if (small_) {
    whole = size == 0 || put(small_ + offset, size);
  } else {
    for (const Block& b : blocks_) {
      if (moved == size || !whole) break;
      if (offset >= b.size) {
        offset -= b.size;
        continue;
      }
      size_t n = std::min(b.size - offset, size - moved);
      whole = put(static_cast<const std::byte*>(mm::page_data(*b.page)) + offset, n);
      offset = 0;
    }
  }
  if (whole) return {};
  to.rewind(moved);
  return Errno::fault;
}

}  // namespace runsc::net
