#include "oci/jail/filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "oci/jail/bpf_assembler.h"

namespace runsc::oci {
namespace {

constexpr uint32_t kPid = 4711;

// What the kernel would answer: an interpreter of the instructions that the assembler emits.
uint32_t interpret(std::span<const sock_filter> program, const seccomp_data& data) {
  uint32_t accumulator = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& op = program[at];
    switch (op.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + op.k, sizeof accumulator);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= op.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += accumulator == op.k ? op.jt : op.jf;
        break;
      case BPF_RET | BPF_K:
        return op.k;
      default:
        FAIL("unexpected instruction");
    }
  }
  FAIL("ran off the end");
  return 0;
}

seccomp_data call(uint32_t number, std::initializer_list<uint64_t> arguments = {}) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = AUDIT_ARCH_X86_64;
  size_t i = 0;
  for (const uint64_t argument : arguments) data.args[i++] = argument;
  return data;
}

std::vector<sock_filter> jail() {
  Expected<std::vector<sock_filter>> program = build_filter(jail_rules(), kPid);
  REQUIRE(program);
  return *program;
}

// Arguments that satisfy one alternative.
seccomp_data satisfying(const Rule& rule, const Alternative& alternative) {
  seccomp_data data = call(rule.number);
  for (unsigned i = 0; i < alternative.count; ++i) {
    const Condition& condition = alternative.conditions[i];
    data.args[condition.argument] =
        condition.kind == Condition::Kind::own_process ? kPid : uint64_t{condition.value};
  }
  return data;
}

TEST_CASE("the filter allows what the table lists and kills the rest", "[oci][jail]") {
  const std::vector<sock_filter> program = jail();
  for (uint32_t number = 0; number < 1024; ++number) {
    const Rule* rule = nullptr;
    for (const Rule& candidate : jail_rules()) {
      if (candidate.number == number) rule = &candidate;
    }
    if (rule == nullptr) {
      CHECK(interpret(program, call(number)) == SECCOMP_RET_KILL_PROCESS);
      continue;
    }
    const uint32_t expected =
        rule->verdict == Verdict::allow ? SECCOMP_RET_ALLOW : (SECCOMP_RET_ERRNO | ENOSYS);
    if (rule->alternatives.empty()) CHECK(interpret(program, call(number)) == expected);
    for (const Alternative& alternative : rule->alternatives) {
      INFO(rule->name << " " << alternative.text);
      CHECK(interpret(program, satisfying(*rule, alternative)) == expected);
    }
  }
}

TEST_CASE("arguments outside the constraints kill", "[oci][jail]") {
  const std::vector<sock_filter> program = jail();
  const auto kills = [&](const seccomp_data& data) {
    return interpret(program, data) == SECCOMP_RET_KILL_PROCESS;
  };
  CHECK(kills(call(SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC})));
  CHECK(kills(call(SYS_mprotect, {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC})));
  CHECK_FALSE(kills(call(SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE})));
  CHECK(kills(call(SYS_tgkill, {kPid + 1, 1, SIGKILL})));
  CHECK_FALSE(kills(call(SYS_tgkill, {kPid, 1, SIGKILL})));
  CHECK(kills(call(SYS_clone, {SIGCHLD})));
  CHECK(kills(
      call(SYS_clone, {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWNS})));
  CHECK_FALSE(kills(call(SYS_clone, {0x3d0f00})));  // what pthread_create asks for
  CHECK(kills(call(SYS_mknodat, {3, 0, S_IFCHR | 0600})));
  CHECK(kills(call(SYS_mknodat, {3, 0, S_IFBLK | 0600})));
  CHECK_FALSE(kills(call(SYS_mknodat, {3, 0, S_IFIFO | 0600})));
  CHECK(kills(call(SYS_ioctl, {3, TIOCSTI})));
  CHECK(kills(call(SYS_ioctl, {3, KVM_CREATE_DEVICE})));
  CHECK(kills(call(SYS_ioctl, {3, KVM_CREATE_VM})));
  CHECK(kills(call(SYS_fcntl, {3, F_SETOWN})));
}

TEST_CASE("other architectures and x32 are killed", "[oci][jail]") {
  const std::vector<sock_filter> program = jail();
  seccomp_data data = call(SYS_read);
  data.arch = AUDIT_ARCH_I386;
  CHECK(interpret(program, data) == SECCOMP_RET_KILL_PROCESS);
  CHECK(interpret(program, call(SYS_read | 0x40000000)) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("the assembler refuses what the kernel would", "[oci][jail]") {
  BpfAssembler unbound;
  unbound.jump_if_equal(1, unbound.new_label());
  unbound.give_back(0);
  CHECK_FALSE(unbound.finish());

  BpfAssembler far;
  const BpfAssembler::Label end = far.new_label();
  far.jump_if_equal(1, end);
  for (int i = 0; i < 256; ++i) far.load_number();
  far.bind(end);
  far.give_back(0);
  CHECK_FALSE(far.finish());

  CHECK_FALSE(BpfAssembler().finish());
}

// Runs `action` in a child behind the real filter; its wait status.
template <typename Action>
int behind_the_jail(Action action) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGSYS, SIG_DFL);
    if (!close_jail()) ::_exit(99);
    action();
    ::_exit(7);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

bool killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }
bool survived(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 7; }

TEST_CASE("a call outside the list kills the process", "[oci][jail]") {
  CHECK(survived(behind_the_jail([] {})));
  const long forbidden[] = {SYS_execve,
                            SYS_execveat,
                            SYS_fork,
                            SYS_vfork,
                            SYS_socket,
                            SYS_connect,
                            SYS_ptrace,
                            SYS_open,
                            SYS_openat,
                            SYS_mount,
                            SYS_umount2,
                            SYS_setuid,
                            SYS_kill,
                            SYS_bpf,
                            SYS_init_module,
                            SYS_unshare,
                            SYS_setns,
                            SYS_chroot,
                            SYS_userfaultfd,
                            SYS_io_uring_setup,
                            SYS_process_vm_readv,
                            SYS_keyctl,
                            SYS_seccomp,
                            SYS_perf_event_open,
                            SYS_pidfd_getfd,
                            SYS_memfd_create};
  for (const long number : forbidden) {
    const auto lists_it = [number](const Rule& rule) { return rule.number == static_cast<uint32_t>(number); };
    if (std::any_of(jail_rules().begin(), jail_rules().end(), lists_it)) continue;  // a sanitizer's
    INFO("system call " << number);
    CHECK(killed(behind_the_jail([number] { ::syscall(number, 0, 0, 0, 0, 0, 0); })));
  }
}

TEST_CASE("every allowed ioctl passes and every other is killed", "[oci][jail]") {
  for (const Rule& rule : jail_rules()) {
    if (rule.number != SYS_ioctl) continue;
    CHECK(survived(behind_the_jail([&rule] {
      for (const Alternative& alternative : rule.alternatives) {
        const long result = ::syscall(SYS_ioctl, -1, alternative.conditions[0].value, 0);
        if (result != -1 || errno != EBADF) ::_exit(1);
      }
    })));
  }
  for (const unsigned long request : {TIOCSTI, TIOCLINUX, static_cast<int>(KVM_CREATE_DEVICE)}) {
    CHECK(killed(behind_the_jail([request] { ::syscall(SYS_ioctl, -1, request, 0); })));
  }
}

TEST_CASE("threads can be started in the jail, other processes cannot be signalled", "[oci][jail]") {
  CHECK(survived(behind_the_jail([] {
    pthread_t thread;
    const auto body = [](void* argument) -> void* { return argument; };
    if (::pthread_create(&thread, nullptr, body, nullptr) != 0) ::_exit(1);
    void* result = nullptr;
    if (::pthread_join(thread, &result) != 0) ::_exit(2);
  })));
  CHECK(killed(behind_the_jail([] { ::syscall(SYS_tgkill, 1, 1, 0); })));
  CHECK(survived(behind_the_jail([] { ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), 0); })));
}

TEST_CASE("the table can be read", "[oci][jail]") {
  const std::string text = describe_jail();
  CHECK(text.find("ioctl") != std::string::npos);
  CHECK(text.find("KVM_RUN") != std::string::npos);
  CHECK(text.find("any other kills the process") != std::string::npos);
}

}  // namespace
}  // namespace runsc::oci
