#include "oci/sandbox/home.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "oci/host/file_io.h"

namespace runsc::oci {
namespace {

constexpr size_t kMaxPasswdBytes = size_t{1} << 20;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string home_from_passwd(const std::string& text, uint32_t uid) {
  const std::string wanted = std::to_string(uid);
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> fields = split(line, ':');
    // name:password:uid:gid:comment:home:shell
    if (fields.size() >= 6 && fields[2] == wanted) return std::string(fields[5]);
  }
  return {};
}

std::string home_directory(int root, uint32_t uid) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root, "etc/passwd", &how, sizeof how)));
  struct stat st {};
  if (!file || ::fstat(file.get(), &st) != 0 || !S_ISREG(st.st_mode)) return "/";
  const Expected<std::string> text = read_all(file.get(), kMaxPasswdBytes, "etc/passwd");
  const std::string home = text ? home_from_passwd(*text, uid) : std::string();
  return home.starts_with('/') && home.find('\0') == std::string::npos ? home : "/";
}

void add_home(Process& process, int root) {
  const auto is_home = [](const std::string& entry) { return entry.starts_with("HOME="); };
  if (std::any_of(process.env.begin(), process.env.end(), is_home)) return;
  process.env.push_back("HOME=" + home_directory(root, process.user.uid));
}

}  // namespace runsc::oci
