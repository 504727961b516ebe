#include "kernel/base/format.h"

namespace runsc {

namespace {

struct Spec {
  bool left = false;
  bool zero = false;
  unsigned width = 0;
  unsigned base = 10;
  bool upper = false;
};

Spec parse_spec(std::string_view s) {
  Spec spec;
  size_t i = 0;
  if (i < s.size() && s[i] == ':') ++i;
  if (i < s.size() && (s[i] == '<' || s[i] == '>')) spec.left = s[i++] == '<';
  if (i < s.size() && s[i] == '0') spec.zero = true, ++i;
  while (i < s.size() && s[i] >= '0' && s[i] <= '9') spec.width = spec.width * 10 + (s[i++] - '0');
  if (i < s.size()) {
    if (s[i] == 'x' || s[i] == 'X') spec.base = 16, spec.upper = s[i] == 'X';
    if (s[i] == 'o') spec.base = 8;
  }
  return spec;
}

void pad(TextSink& out, char c, size_t n) {
  while (n-- > 0) out.write({&c, 1});
}

void put_padded(TextSink& out, std::string_view text, const Spec& spec) {
  size_t fill = spec.width > text.size() ? spec.width - text.size() : 0;
  if (!spec.left) pad(out, ' ', fill);
  out.write(text);
  if (spec.left) pad(out, ' ', fill);
}

void put_number(TextSink& out, uint64_t v, bool negative, const Spec& spec) {
  char buf[68];
  size_t at = sizeof buf;
  const char* digits = spec.upper ? "0123456789ABCDEF" : "0123456789abcdef";
  do {
    buf[--at] = digits[v % spec.base];
    v /= spec.base;
  } while (v);
  if (spec.zero && !spec.left) {
    size_t width = spec.width > 64 ? 64 : spec.width;
    while (sizeof buf - at + (negative ? 1 : 0) < width) buf[--at] = '0';
  }
  if (negative) buf[--at] = '-';
  put_padded(out, {buf + at, sizeof buf - at}, spec);
}

void put(TextSink& out, const FormatArg& arg, const Spec& spec) {
  switch (arg.kind) {
    case FormatArg::Kind::u64:
      return put_number(out, arg.u, false, spec);
    case FormatArg::Kind::i64:
      return put_number(out, arg.i < 0 ? 0 - static_cast<uint64_t>(arg.i) : static_cast<uint64_t>(arg.i),
                        arg.i < 0, spec);
    case FormatArg::Kind::text:
      return put_padded(out, {arg.s.data, arg.s.size}, spec);
    case FormatArg::Kind::character:
      return put_padded(out, {&arg.c, 1}, spec);
  }
}

}  // namespace

void vformat(TextSink& out, std::string_view fmt, std::span<const FormatArg> args) {
  size_t next = 0;
  size_t start = 0;
  for (size_t i = 0; i < fmt.size(); ++i) {
    if (fmt[i] != '{' && fmt[i] != '}') continue;
    out.write(fmt.substr(start, i - start));
    if (i + 1 < fmt.size() && fmt[i + 1] == fmt[i]) {  // {{ or }}
      out.write(fmt.substr(i, 1));
      start = ++i + 1;
      continue;
    }
    size_t close = fmt.find('}', i);
    if (fmt[i] == '}' || close == std::string_view::npos) {
      start = i;
      continue;
    }
    if (next < args.size()) put(out, args[next++], parse_spec(fmt.substr(i + 1, close - i - 1)));
    i = close;
    start = close + 1;
  }
  out.write(fmt.substr(start));
}

}  // namespace runsc
