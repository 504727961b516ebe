// Buffer: the bytes of one message in kernel memory, of a size known at the start.
#pragma once

#include "kernel/base/vec.h"
#include "mm/io_buf.h"
#include "mm/phys.h"

namespace runsc::net {

class Buffer {
 public:
  // What stands in one piece of object memory; more than that stands in pages.
  static constexpr size_t kSmall = 3776;

  Buffer() = default;
  Buffer(Buffer&& o) noexcept { *this = std::move(o); }
  Buffer& operator=(Buffer&& o) noexcept {
    std::swap(small_, o.small_);
    std::swap(blocks_, o.blocks_);
    std::swap(size_, o.size_);
    std::swap(small_size_, o.small_size_);
    return *this;
  }
  ~Buffer();

  // ENOBUFS.
  static Result<Buffer> create(size_t size);
  size_t size() const { return size_; }
  // Cut behind the first `size` bytes, which it must have.
  void trim(size_t size) { size_ = size; }
  // False: not all of them are there.
  bool read(size_t offset, std::span<std::byte> out) const;
  // Fills it from `from`, whole. EFAULT.
  Result<void> fill(mm::IoBuf& from);
  // Bytes [offset, offset + size) into `to`: all, or EFAULT with nothing taken of `to`.
  Result<void> drain(mm::IoBuf& to, size_t offset, size_t size) const;

 private:
  struct Block {
    mm::Page* page = nullptr;
    uint32_t size = 0;
  };
  std::byte* small_ = nullptr;
  Vec<Block> blocks_;
  size_t size_ = 0, small_size_ = 0;
};

}  // namespace runsc::net
