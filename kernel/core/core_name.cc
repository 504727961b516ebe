#include "kernel/core/core_name.h"

#include <algorithm>

#include "fs/mount.h"
#include "kernel/inspect.h"
#include "kernel/namespaces.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

constinit SpinLock g_lock{LockRank::leaf};
constinit CorePattern g_pattern GUARDED_BY(g_lock) = {"core", false};

// Names must not lead elsewhere: '/' becomes '!', and so does what would be "." or "..".
void put_name(TextSink& out, std::string_view name) {
  if (name.empty() || name == "." || name == "..") {
    out.write(name.empty() ? "!" : name == "." ? "!" : "!.");
    return;
  }
  for (char c : name) out.write(c == '/' ? std::string_view("!") : std::string_view(&c, 1));
}

void put_executable(Task& task, TextSink& out, bool whole) {
  fs::Path path = task.group().executable();
  auto name = fs::path_name(path, task.fs().root());
  if (!path || !name) return put_name(out, task.comm().text);
  std::string_view text = name->view();
  if (!whole) text.remove_prefix(text.rfind('/') + 1);
  put_name(out, text);
}

// One specifier. False: none is known by this letter, it vanishes.
void put_specifier(Task& task, char letter, int signal, TextSink& out) {
  const fs::Credentials& creds = task.creds();
  constexpr uint64_t kSecond = 1'000'000'000;
  switch (letter) {
    case '%':
      return out.write("%");
    case 'p':
    case 'P':
      return format(out, "{}", task.pid());
    case 'i':
    case 'I':
      return format(out, "{}", task.tid());
    case 'u':
      return format(out, "{}", creds.uid);
    case 'g':
      return format(out, "{}", creds.gid);
    case 'd':
      return format(out, "{}", dumpable(task.group()));
    case 's':
      return format(out, "{}", signal);
    case 't':
      return format(out, "{}", realtime_ns() / kSecond);
    case 'h':
      return put_name(out, task.namespaces().uts().hostname().view());
    case 'e':
      return put_name(out, task.comm().text);
    case 'f':
      return put_executable(task, out, false);
    case 'E':
      return put_executable(task, out, true);
    case 'c':
      return format(out, "{}", task.limit(static_cast<unsigned>(Resource::core)));
    case 'C':
      return format(out, "{}", task.sched.cpu.load(std::memory_order_relaxed));
    default:
      return;
  }
}

}  // namespace

CorePattern core_pattern() {
  LockGuard guard(g_lock);
  return g_pattern;
}

Result<void> set_core_pattern(std::string_view text) {
  if (text.size() > kMaxCorePattern) return Errno::inval;
  LockGuard guard(g_lock);
  std::fill(std::begin(g_pattern.text), std::end(g_pattern.text), '\0');
  std::copy(text.begin(), text.end(), g_pattern.text);
  return {};
}

void set_core_uses_pid(bool on) {
  LockGuard guard(g_lock);
  g_pattern.with_pid = on;
}

Result<String> core_name(Task& task, int signal) {
  const CorePattern pattern = core_pattern();
  std::string_view left = pattern.text;
  if (left.empty() || left[0] == '|') return Errno::inval;
  HeapText name;
  bool pid_is_in = false;
  while (!left.empty()) {
    size_t plain = std::min(left.find('%'), left.size());
    name.write(left.substr(0, plain));
    left.remove_prefix(plain);
    if (left.size() < 2) break;  // a last '%' vanishes, too
    pid_is_in |= left[1] == 'p';
    put_specifier(task, left[1], signal, name);
    left.remove_prefix(2);
  }
  if (pattern.with_pid && !pid_is_in) format(name, ".{}", task.pid());
  TRY(name.status());
  return String::from(name.view());
}

}  // namespace runsc::kernel
