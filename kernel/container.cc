#include "kernel/container.h"

#include <algorithm>

namespace runsc::kernel {

namespace {

using hostcall::ContainerReader;
constexpr uint32_t kMaxItems = 1 << 16;

Result<uint32_t> read_count(ContainerReader& r) {
  uint32_t n = r.u32();
  if (!r.ok() || n > kMaxItems) return Errno::inval;
  return n;
}

Result<void> read_strings(ContainerReader& r, Vec<String>& out) {
  for (uint32_t n = TRY(read_count(r)); n > 0; --n) TRY(out.push_back(TRY(String::from(r.string()))));
  return {};
}

Result<Ref<fs::Credentials>> read_credentials(ContainerReader& r, uint32_t& umask) {
  auto c = make_ref<fs::Credentials>();
  if (!c) return Errno::nomem;
  c->uid = c->euid = c->suid = c->fsuid = r.u32();
  c->gid = c->egid = c->sgid = c->fsgid = r.u32();
  for (uint32_t n = TRY(read_count(r)); n > 0; --n) TRY(c->groups.push_back(r.u32()));
  std::sort(c->groups.begin(), c->groups.end());
  umask = r.u32() & 0777;
  c->effective = r.u64() & fs::kAllCaps;
  c->permitted = r.u64() & fs::kAllCaps;
  c->inheritable = r.u64() & fs::kAllCaps;
  c->bounding = r.u64() & fs::kAllCaps;
  c->ambient = r.u64() & fs::kAllCaps;
  c->no_new_privs = r.u32() != 0;
  return c;
}

Result<void> read_more(ContainerReader& r, ProcessSpec& s) {
  for (uint32_t n = TRY(read_count(r)); n > 0; --n) TRY(s.more.push_back(r.handle()));
  s.attributes = r.attributes();
  std::string_view program = r.string();
  if (program.size() % sizeof(BpfInstruction) != 0 ||
      program.size() / sizeof(BpfInstruction) > kBpfMaxInstructions)
    return Errno::inval;
  for (; !program.empty(); program.remove_prefix(sizeof(BpfInstruction))) {
    BpfInstruction one;
    __builtin_memcpy(&one, program.data(), sizeof one);
    TRY(s.filter.push_back(one));
  }
  return {};
}

Result<ProcessSpec> read_process(ContainerReader& r) {
  ProcessSpec s;
  TRY(read_strings(r, s.argv));
  TRY(read_strings(r, s.envp));
  s.cwd = TRY(String::from(r.string()));
  s.creds = TRY(read_credentials(r, s.umask));
  for (uint32_t n = TRY(read_count(r)); n > 0; --n) {
    uint32_t resource = r.u32();
    uint64_t soft = r.u64(), hard = r.u64();
    if (resource >= kResources || soft > hard) return Errno::inval;
    TRY(s.limits.push_back({resource, {soft, hard}}));
  }
  s.terminal = r.u32() != 0;
  s.rows = r.u32();
  s.columns = r.u32();
  for (auto& handle : s.stdio) handle = r.handle();
  TRY(read_more(r, s));
  if (!r.ok() || s.argv.empty()) return Errno::inval;
  return s;
}

}  // namespace

Result<ContainerSpec> read_container(ContainerReader& r) {
  ContainerSpec s;
  if (r.u32() != hostcall::kContainerVersion || !r.read_handles()) return Errno::inval;
  s.hostname = TRY(String::from(r.string()));
  s.domainname = TRY(String::from(r.string()));
  s.wait_for_start = r.u32() != 0;
  s.limits = r.limits();
  s.process = TRY(read_process(r));
  for (uint32_t n = TRY(read_count(r)); n > 0; --n) {
    String name = TRY(String::from(r.string()));
    TRY(s.sysctls.push_back({std::move(name), TRY(String::from(r.string()))}));
  }
  s.network = TRY(String::from(r.string()));
  return s;
}

Result<ProcessSpec> read_joining_process(ContainerReader& r) {
  if (r.u32() != hostcall::kContainerVersion || !r.read_handles()) return Errno::inval;
  ProcessSpec s = TRY(read_process(r));
  if (!r.at_end()) return Errno::inval;
  return s;
}

}  // namespace runsc::kernel
