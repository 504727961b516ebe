#include "fs/dev/device.h"

#include "fs/tty/devpts.h"
#include "fs/tty/job_control.h"
#include "fs/tty/tty.h"
#include "mm/shared_anon.h"

namespace runsc::fs {

namespace {

// mem(4) devices that differ in what read and write do.
enum class Memory : uint8_t { null, zero, full, random };

class MemoryDevice final : public File {
 public:
  MemoryDevice(Memory which, uint32_t flags, Ref<Inode> inode)
      : File(flags, std::move(inode)), which_(which) {}

  Result<size_t> read(mm::IoBuf& buf, uint64_t) override {
    switch (which_) {
      case Memory::null:
        return size_t{0};
      case Memory::zero:
      case Memory::full:
        return buf.put_zeros(buf.remaining());
      case Memory::random:
        return read_random(buf);
    }
    return Errno::io;
  }
  Result<size_t> write(mm::IoBuf& buf, uint64_t) override {
    if (which_ == Memory::full) return Errno::nospc;
    size_t n = buf.remaining();
    buf.advance(n);
    return n;
  }
  // lseek(2) on these succeeds and means nothing: the position stays 0.
  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t, int, uint64_t) override { return uint64_t{0}; }
  Result<mm::MappableRef> mappable(bool) override {
    if (which_ != Memory::zero) return Errno::nodev;
    return mm::SharedAnon::create(arch::kUserEnd);
  }
  Result<void> sync(bool) override { return Errno::inval; }

 private:
  static Result<size_t> read_random(mm::IoBuf& buf) {
    std::byte chunk[256];
    size_t total = 0;
    while (buf.remaining() > 0) {
      size_t n = buf.remaining() < sizeof chunk ? buf.remaining() : sizeof chunk;
      fill_random({chunk, n});
      auto put = buf.put(chunk, n);
      if (!put) return total ? Result<size_t>(total) : put;
      total += *put;
      if (*put < n) break;
    }
    return total;
  }

  const Memory which_;
};

Result<Ref<File>> open_memory(Memory which, uint32_t flags, Ref<Inode> inode) {
  Ref<File> file = make_ref<MemoryDevice>(which, flags, std::move(inode));
  if (!file) return Errno::nomem;
  return file;
}

Result<Ref<File>> open_current_tty(uint32_t flags, Ref<Inode> inode) {
  Ref<Tty> tty = job_control::controlling_tty_of_current();
  if (!tty) return Errno::nxio;
  Ref<File> file = make_ref<TtySlave>(std::move(tty), flags, std::move(inode));
  if (!file) return Errno::nomem;
  return file;
}

constexpr StandardDevice kStandard[] = {
    {"null", 1, 3, 0666},   {"zero", 1, 5, 0666},    {"full", 1, 7, 0666},
    {"random", 1, 8, 0666}, {"urandom", 1, 9, 0666}, {"tty", 5, 0, 0666},
};

}  // namespace

std::span<const StandardDevice> standard_devices() { return kStandard; }

Result<Ref<File>> open_device(Ref<Inode> inode, uint64_t rdev, uint32_t flags, const Credentials& creds) {
  if (inode->type() != kCharDev) return Errno::nxio;
  if (rdev == make_dev(1, 3)) return open_memory(Memory::null, flags, std::move(inode));
  if (rdev == make_dev(1, 5)) return open_memory(Memory::zero, flags, std::move(inode));
  if (rdev == make_dev(1, 7)) return open_memory(Memory::full, flags, std::move(inode));
  if (rdev == make_dev(1, 8) || rdev == make_dev(1, 9))
    return open_memory(Memory::random, flags, std::move(inode));
  // The console is the terminal of whoever opens it: there is no other.
  if (rdev == make_dev(5, 0) || rdev == make_dev(5, 1)) return open_current_tty(flags, std::move(inode));
  if (rdev == make_dev(5, 2)) return open_ptmx(std::move(inode), flags, creds);
  if (rdev >= make_dev(136, 0) && rdev < make_dev(137, 0) && (rdev >> 8 & 0xfff) == 136)
    return open_pts(std::move(inode), flags);
  return Errno::nxio;
}

}  // namespace runsc::fs
