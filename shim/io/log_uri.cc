#include "shim/io/log_uri.h"

#include <string_view>

namespace runsc::shim {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986 percent-encoding; `plus_is_blank` as in queries.
oci::Expected<std::string> decode(std::string_view text, bool plus_is_blank) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%') {
      const int high = at + 2 < text.size() ? hex_digit(text[at + 1]) : -1;
      const int low = at + 2 < text.size() ? hex_digit(text[at + 2]) : -1;
      if (high < 0 || low < 0) return oci::fail("bad escape in \"" + std::string(text) + "\"");
      plain.push_back(static_cast<char>(high * 16 + low));
      at += 2;
    } else {
      plain.push_back(plus_is_blank && text[at] == '+' ? ' ' : text[at]);
    }
    if (plain.back() == '\0') return oci::fail("a NUL in \"" + std::string(text) + "\"");
  }
  return plain;
}

oci::Expected<void> parse_query(std::string_view query, StreamTarget& target) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view part = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    const std::string_view value = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    std::string name = OCI_TRY(decode(part.substr(0, equals), true));
    target.arguments.emplace_back(std::move(name), OCI_TRY(decode(value, true)));
  }
  return {};
}

}  // namespace

oci::Expected<StreamTarget> parse_stream(const std::string& text) {
  StreamTarget target;
  if (text.empty()) return target;
  const size_t colon = text.find("://");
  if (text.front() == '/' || colon == std::string::npos) {
    target.kind = StreamTarget::Kind::path;
    target.path = text;
  } else {
    const std::string scheme = text.substr(0, colon);
    const std::string_view rest = std::string_view(text).substr(colon + 3);
    const size_t question = rest.find('?');
    target.path = OCI_TRY(decode(rest.substr(0, question), false));
    if (scheme == "fifo") {
      target.kind = StreamTarget::Kind::path;
    } else if (scheme == "file") {
      target.kind = StreamTarget::Kind::file;
    } else if (scheme == "binary") {
      target.kind = StreamTarget::Kind::binary;
      if (question != std::string_view::npos) OCI_TRY_VOID(parse_query(rest.substr(question + 1), target));
    } else {
      return oci::fail("unknown kind of log " + scheme + "://");
    }
  }
  if (target.path.empty() || target.path.front() != '/')
    return oci::fail("not an absolute path: \"" + text + "\"");
  return target;
}

}  // namespace runsc::shim
