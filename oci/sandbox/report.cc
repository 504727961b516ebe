#include "oci/sandbox/report.h"

#include <unistd.h>

#include <charconv>
#include <climits>
#include <string_view>

namespace runsc::oci {
namespace {

void send(int fd, std::string line) {
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  constexpr size_t kLongest = PIPE_BUF - 1;
  if (line.size() > kLongest) line.resize(kLongest);
  line += '\n';
  [[maybe_unused]] const ssize_t put = ::write(fd, line.data(), line.size());
}

// A number at the front of `text`, which loses it and the space behind it.
std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  return number;
}

// The text ends on a person's terminal, which its control sequences must not reach.
std::string printable(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return result;
}

void read_line(std::string_view line, Report& report) {
  if (line.empty()) return;
  const char kind = line[0];
  line.remove_prefix(1);
  if (kind == 's') {
    report.started = true;
  } else if (kind == 'r') {
    report.ready = true;
  } else if (kind == 'n') {
    report.namespaces = true;
  } else if (kind == 'm') {
    report.warnings.push_back(printable(line));
  } else if (kind == 'w') {
    if (const auto status = take_number(line)) report.wait_status = *status & 0xffff;
  } else if (kind == 'e') {
    const auto status = take_number(line);
    if (status && *status > 0 && *status < 256) report.error = Error{printable(line), *status};
  }
}

}  // namespace

void report_started(int fd) { send(fd, "s"); }

void report_ready(int fd) { send(fd, "r"); }

void report_namespaces(int fd) { send(fd, "n"); }

void report_wait_status(int fd, int wait_status) { send(fd, "w" + std::to_string(wait_status)); }

void report_warning(int fd, const std::string& text) { send(fd, "m" + text); }

void report_error(int fd, const Error& error) {
  send(fd, "e" + std::to_string(error.exit_status) + " " + error.text);
}

void read_report(const std::string& lines, Report& report) {
  std::string_view rest = lines;
  report.warnings.clear();
  for (size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    read_line(rest.substr(0, end), report);
    rest.remove_prefix(end + 1);
  }
}

}  // namespace runsc::oci
