#include "kernel/syscalls/strace.h"

#include "kernel/base/log.h"
#include "kernel/syscalls/errno_names.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constinit bool g_enabled = false;
constexpr size_t kTextMax = 64;  // bytes of a string or buffer that are shown

// The arguments of a row, one word each: "fd,buf_out,size". What a word begins with says how it is shown:
//   path, str   a string of the application      flags, mode, prot, mask   hexadecimal
//   sockaddr    a socket address whose size is the next argument
//   ptr, buf    an address                       fd, int, pid, sig         signed decimal
// anything else is decimal when small and hexadecimal when not.
bool starts(std::string_view s, std::string_view with) { return s.substr(0, with.size()) == with; }

void put_string(TextSink& out, Task& task, uint64_t address) {
  char text[kTextMax + 1];
  if (address == 0) return out.write("NULL");
  auto n = mm::copy_in_some(task.mm(), text, address, sizeof text);
  if (!n) return format(out, "{:x}", address);
  out.write("\"");
  for (size_t i = 0; i < *n && text[i]; ++i) {
    if (i == kTextMax) {
      out.write("\"...");
      return;
    }
    auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x7f)
      out.write({&text[i], 1});
    else
      format(out, "\\x{:02x}", c);
  }
  out.write("\"");
}

// The address that the application gives with its size.
void put_socket_address(TextSink& out, Task& task, uint64_t address, uint64_t size) {
  constexpr uint16_t kLocal = 1;
  struct {
    uint16_t family = 0;
    char text[kTextMax] = {};
  } name;
  if (size < sizeof name.family ||
      !mm::copy_in_some(task.mm(), &name, address, size < sizeof name ? size : sizeof name))
    return format(out, "0x{:x}", address);
  if (name.family != kLocal) return format(out, "{{family {}}}", name.family);
  size -= sizeof name.family;
  std::string_view text(name.text, size < kTextMax ? size : kTextMax);
  out.write("{AF_UNIX, \"");
  for (size_t i = 0; i < text.size() && (text[i] || i == 0); ++i)
    out.write(text[i] >= 0x20 && text[i] < 0x7f ? text.substr(i, 1) : text[i] ? "?" : "@");
  out.write("\"}");
}

void put_argument(TextSink& out, Task& task, std::string_view kind, uint64_t value) {
  if (starts(kind, "path") || starts(kind, "str")) return put_string(out, task, value);
  if (starts(kind, "flags") || starts(kind, "mode") || starts(kind, "prot") || starts(kind, "mask") ||
      starts(kind, "ptr") || starts(kind, "buf") || starts(kind, "addr"))
    return format(out, "0x{:x}", value);
  if (starts(kind, "fd") || starts(kind, "dirfd") || starts(kind, "int") || starts(kind, "pid") ||
      starts(kind, "sig")) {
    if (starts(kind, "dirfd") && static_cast<int32_t>(value) == -100) return out.write("AT_FDCWD");
    return format(out, "{}", static_cast<int32_t>(value));
  }
  if (value < 1 << 20)
    format(out, "{}", value);
  else
    format(out, "0x{:x}", value);
}

void put_call(TextSink& out, Task& task, const SyscallRow* row, uint64_t number, const uint64_t (&args)[6]) {
  auto comm = task.comm();
  format(out, "[{}:{}] ", task.tid(), comm.text);
  if (!row) return format(out, "syscall_{}(", number);
  format(out, "{}(", row->name);
  std::string_view kinds = row->arguments;
  for (int i = 0; i < 6 && !kinds.empty(); ++i) {
    size_t comma = kinds.find(',');
    std::string_view kind = kinds.substr(0, comma);
    kinds = comma == std::string_view::npos ? std::string_view() : kinds.substr(comma + 1);
    if (i > 0) out.write(", ");
    if (kind == "sockaddr" && i < 5)
      put_socket_address(out, task, args[i], static_cast<uint32_t>(args[i + 1]));
    else
      put_argument(out, task, kind, args[i]);
  }
}

}  // namespace

bool strace_enabled() { return g_enabled; }
void strace_enable() { g_enabled = true; }

// Calls that may take long or never return are announced; the others are one line.
void strace_enter(Task& task, const SyscallRow* row, uint64_t number, const uint64_t (&args)[6]) {
  constexpr uint64_t kExecve = 59, kExit = 60, kExitGroup = 231;
  if (number != kExecve && number != kExit && number != kExitGroup) return;
  char room[512];
  FixedText text(room);
  put_call(text, task, row, number, args);
  text.write(") ...");
  log_line(LogLevel::info, text.view());
}

void strace_leave(Task& task, const SyscallRow* row, uint64_t number, const uint64_t (&args)[6],
                  const SyscallResult& result) {
  char room[512];
  FixedText text(room);
  put_call(text, task, row, number, args);
  if (result.flow != Flow::value) {
    text.write(") = ?");
  } else if (result.value < 0 && result.value > -4096) {
    format(text, ") = {} {}", result.value, errno_name(static_cast<Errno>(-result.value)));
  } else if (result.value >= 0 && result.value < 1 << 20) {
    format(text, ") = {}", result.value);
  } else {
    format(text, ") = 0x{:x}", static_cast<uint64_t>(result.value));
  }
  log_line(LogLevel::info, text.view());
}

}  // namespace runsc::kernel
