// Verbs about Docker's daemon.json: install, uninstall.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "oci/cmd/command.h"
#include "oci/host/file_io.h"

namespace runsc::oci {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxConfig = size_t{1} << 20;

struct Target {
  std::string file = "/etc/docker/daemon.json";
  std::string runtime = "runsc";
};

void add_flags(FlagSet& flags, Target& target) {
  flags.text("config_file", target.file, "Docker's configuration").alias("config-file");
  flags.text("runtime", target.runtime, "name of the runtime in it");
}

// An object; {} where there is no file or an empty one.
Expected<ordered_json> read_config(const std::string& file) {
  if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT) return ordered_json::object();
  const std::string text = OCI_TRY(read_file(file, kMaxConfig));
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return ordered_json::object();
  ordered_json document = ordered_json::parse(text, nullptr, false);
  if (!document.is_object()) return fail(file + ": not a JSON object, nothing was changed");
  const auto runtimes = document.find("runtimes");
  if (runtimes != document.end() && !runtimes->is_object())
    return fail(file + ": runtimes: not a JSON object, nothing was changed");
  return document;
}

// Whole or not at all, with the mode that it had.
Expected<void> write_config(const std::string& file, const ordered_json& document) {
  struct stat st {};
  const mode_t mode = ::stat(file.c_str(), &st) == 0 ? st.st_mode & 07777 : 0644;
  const size_t slash = file.rfind('/');
  if (slash != std::string::npos && slash != 0 && ::mkdir(file.substr(0, slash).c_str(), 0755) != 0 &&
      errno != EEXIST)
    return fail_errno(file.substr(0, slash));
  const std::string fresh = file + ".new";
  OCI_TRY_VOID(write_file(fresh, document.dump(4) + "\n", mode));
  if (::chmod(fresh.c_str(), mode) == 0 && std::rename(fresh.c_str(), file.c_str()) == 0) return {};
  const auto failed = fail_errno(file);
  ::unlink(fresh.c_str());
  return failed;
}

Expected<std::string> own_path() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0 || length == sizeof path) return fail_errno("/proc/self/exe");
  return std::string(path, static_cast<size_t>(length));
}

}  // namespace

Expected<int> cmd_install(const Options&, std::span<const std::string> args) {
  Target target;
  bool clobber = true;
  FlagSet flags;
  add_flags(flags, target);
  flags.boolean("clobber", clobber, "replace a runtime of that name (default)");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  Options checked;
  FlagSet global;
  add_global_flags(global, checked);
  if (!OCI_TRY(global.parse(rest)).empty())
    return fail("usage: runsc install [flags] [-- FLAG...]\n" + flags.usage());
  ordered_json document = OCI_TRY(read_config(target.file));
  if (!clobber && document.contains("runtimes") && document["runtimes"].contains(target.runtime))
    return fail(target.file + ": runtime " + target.runtime + " is there already");
  ordered_json& entry = document["runtimes"][target.runtime];
  entry = {{"path", OCI_TRY(own_path())}};
  if (!rest.empty()) entry["runtimeArgs"] = rest;
  OCI_TRY_VOID(write_config(target.file, document));
  OCI_TRY_VOID(write_all(
      STDOUT_FILENO,
      "Added runtime " + target.runtime + " to " + target.file + "; Docker sees it after a reload.\n",
      "stdout"));
  return 0;
}

Expected<int> cmd_uninstall(const Options&, std::span<const std::string> args) {
  Target target;
  FlagSet flags;
  add_flags(flags, target);
  if (!OCI_TRY(flags.parse(args)).empty()) return fail("usage: runsc uninstall [flags]\n" + flags.usage());
  ordered_json document = OCI_TRY(read_config(target.file));
  if (!document.contains("runtimes") || document["runtimes"].erase(target.runtime) == 0)
    return fail(target.file + ": no runtime " + target.runtime);
  if (document["runtimes"].empty()) document.erase("runtimes");
  OCI_TRY_VOID(write_config(target.file, document));
  OCI_TRY_VOID(write_all(STDOUT_FILENO, "Removed runtime " + target.runtime + " from " + target.file + ".\n",
                         "stdout"));
  return 0;
}

}  // namespace runsc::oci
