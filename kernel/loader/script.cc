#include "kernel/loader/script.h"

#include "mm/io_buf.h"

namespace runsc::kernel {

namespace {
bool blank(char c) { return c == ' ' || c == '\t'; }
}  // namespace

Result<ScriptLine> parse_script(std::span<const std::byte> head) {
  std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  ScriptLine line;
  if (text.size() < 2 || text.substr(0, 2) != "#!") return line;
  line.is_script = true;
  text.remove_prefix(2);
  size_t end = text.find('\n');
  bool whole = end != std::string_view::npos || head.size() < kScriptHead;
  if (size_t nul = text.find('\0');
      nul != std::string_view::npos && (end == std::string_view::npos || nul < end))
    end = nul, whole = true;
  text = text.substr(0, end);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  size_t name = 0;
  while (name < text.size() && !blank(text[name])) ++name;
  line.interpreter = text.substr(0, name);
  // A cut-off argument is passed as far as it goes, a cut-off name is an error.
  if (line.interpreter.empty() || (name == text.size() && !whole)) return Errno::noexec;
  text.remove_prefix(name);
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  line.argument = text;
  return line;
}

Result<size_t> read_head(fs::File& file, std::span<std::byte> out) {
  size_t got = 0;
  while (got < out.size()) {
    mm::IoBuf buf = mm::IoBuf::kernel(out.subspan(got));
    size_t n = TRY(file.read(buf, got));
    if (n == 0) break;
    got += n;
  }
  return got;
}

}  // namespace runsc::kernel
