#include "net/control.h"

namespace runsc::net {

Result<bool> ControlReader::next(Item& item) {
  if (rest_.size() < sizeof(ControlHeader)) return false;
  ControlHeader header;
  __builtin_memcpy(&header, rest_.data(), sizeof header);
  if (header.size < sizeof header || header.size > rest_.size()) return Errno::inval;
  item.level = header.level;
  item.type = header.type;
  item.data = rest_.subspan(sizeof header, header.size - sizeof header);
  uint64_t step = control_align(header.size);
  rest_ = step >= rest_.size() ? std::span<const std::byte>() : rest_.subspan(step);
  return true;
}

void ControlWriter::take(uint64_t size) {
  if (size > room_) size = room_;
  address_ += size;
  room_ -= size;
  used_ += size;
}

void ControlWriter::put(int level, int type, std::span<const std::byte> data) {
  ControlHeader header{sizeof header + data.size(), level, type};
  if (room_ < sizeof header) {
    truncated_ = true;
    return;
  }
  if (room_ < header.size) {
    truncated_ = true;
    header.size = room_;
  }
  // A bad address costs the message, not the call: the data has been taken already.
  if (!mm::copy_out(*space_, mm::UserPtr<ControlHeader>(address_), header)) return;
  if (!mm::copy_out_bytes(*space_, address_ + sizeof header, data.data(), header.size - sizeof header))
    return;
  take(control_align(sizeof header + data.size()));
}

void ControlWriter::put_files(const Caller& caller, std::span<Ref<fs::File>> files, bool close_on_exec) {
  const size_t room = room_ <= sizeof(ControlHeader) ? 0 : (room_ - sizeof(ControlHeader)) / sizeof(int32_t);
  size_t n = 0;
  for (; n < files.size() && n < room; ++n) {
    auto fd = caller.files.install(files[n], close_on_exec, caller.file_limit);
    if (!fd) break;
    uint64_t at = address_ + sizeof(ControlHeader) + n * sizeof(int32_t);
    if (mm::copy_out_bytes(*space_, at, &*fd, sizeof(int32_t))) continue;
    (void)caller.files.remove(*fd);
    break;
  }
  if (n < files.size()) truncated_ = true;
  if (n == 0) return;
  const uint64_t size = sizeof(ControlHeader) + n * sizeof(int32_t);
  ControlHeader header{size, kSolSocket, control_type::rights};
  if (mm::copy_out(*space_, mm::UserPtr<ControlHeader>(address_), header)) take(control_align(size));
}

}  // namespace runsc::net
