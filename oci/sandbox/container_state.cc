#include <unistd.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "oci/control/client.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/state_dir.h"

namespace runsc::oci {

using nlohmann::ordered_json;

namespace {

// 0: no such process, or a zombie, where those do not count.
uint64_t start_time_of(pid_t pid, bool zombies) {
  constexpr size_t kMost = 4096;
  if (pid <= 0) return 0;
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", kMost);
  if (!text) return 0;
  // The name may hold anything: fields are counted from behind it.
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text->size()) return 0;
  const char run_state = (*text)[name_end + 2];
  if (!zombies && (run_state == 'Z' || run_state == 'X')) return 0;
  size_t at = name_end + 1;
  constexpr int kFieldsToStartTime = 20;  // proc(5): the 22nd, the name is the second
  for (int i = 0; i < kFieldsToStartTime; ++i) {
    at = text->find(' ', at);
    if (at == std::string::npos) return 0;
    ++at;
  }
  uint64_t time = 0;
  std::from_chars(text->data() + at, text->data() + text->size(), time);
  return time;
}

}  // namespace

uint64_t process_start_time(pid_t pid) { return start_time_of(pid, false); }

bool is_there(const ContainerState& state) {
  const uint64_t now = start_time_of(state.pid, true);
  return now != 0 && now == state.start_time;
}

bool is_alive(const ContainerState& state) {
  const uint64_t now = process_start_time(state.pid);
  return now != 0 && now == state.start_time;
}

bool creator_is_alive(const ContainerState& state) {
  const uint64_t now = process_start_time(state.creator);
  return now != 0 && now == state.creator_start_time;
}

std::string current_status(const StateDir& dir, const ContainerState& state) {
  if (state.status == "creating" && creator_is_alive(state)) return state.status;
  if (!is_alive(state)) return "stopped";
  // How far it came and whether it is paused is the sandbox's to know: commands that change it may die.
  constexpr int kPatienceMs = 2'000;
  const Expected<Answer> answer =
      control(dir.sandbox_path(state), {{"op", "status"}, {"container", state.id}}, kPatienceMs);
  if (answer) return answer->text;
  return is_alive(state) && answer.error().text != kNotRunning ? state.status : "stopped";
}

std::string state_document(const ContainerState& state, const std::string& status) {
  const ordered_json document = {
      {"ociVersion", state.oci_version},
      {"id", state.id},
      {"status", status},
      {"pid", status == "stopped" ? 0 : state.pid},
      {"bundle", state.bundle},
      {"rootfs", state.rootfs},
      {"created", state.created},
      {"annotations", state.annotations},
      {"owner", ""},
  };
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace runsc::oci
