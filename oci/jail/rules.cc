#include "oci/jail/rules.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <iterator>

#include "kvm/monitor/kvm_ioctl.h"

namespace runsc::oci {
namespace {

constexpr Alternative equal(unsigned argument, uint64_t value, const char* text, const char* reason) {
  Alternative result;
  result.conditions[0] = {argument, Condition::Kind::masked_equal, 0xffffffff, static_cast<uint32_t>(value)};
  result.count = 1;
  result.text = text;
  result.reason = reason;
  return result;
}

constexpr Alternative masked(unsigned argument, uint32_t mask, uint32_t value, const char* text,
                             const char* reason) {
  Alternative result = equal(argument, value, text, reason);
  result.conditions[0].mask = mask;
  return result;
}

constexpr Alternative own_process(const char* text, const char* reason) {
  Alternative result = equal(0, 0, text, reason);
  result.conditions[0].kind = Condition::Kind::own_process;
  return result;
}

#define REQUEST(name, reason) equal(1, name, #name, reason)
#define REQUEST_AS(value, name, reason) equal(1, value, name, reason)

constexpr Alternative kIoctls[] = {
    REQUEST(KVM_RUN, "runs guest code"),
    REQUEST(KVM_INTERRUPT, "timer tick and wake-up of a virtual CPU"),
    REQUEST(KVM_GET_REGS, "registers of a trap; crash report"),
    REQUEST(KVM_SET_REGS, "registers to go on with"),
    REQUEST(KVM_GET_SREGS, "control registers of a trap; crash report"),
    REQUEST(KVM_SET_SREGS, "segment bases and page table of a task"),
    REQUEST_AS(monitor::kGetXsave, "KVM_GET_XSAVE", "vector state of a task"),
    REQUEST_AS(monitor::kSetXsave, "KVM_SET_XSAVE", "vector state of a task"),
    REQUEST_AS(monitor::kGetXsave2, "KVM_GET_XSAVE2", "vector state larger than a page"),
    REQUEST(KVM_GET_VCPU_EVENTS, "pending exception of an interrupted entry"),
    REQUEST(KVM_SET_VCPU_EVENTS, "takes back an exception of an interrupted entry"),
    REQUEST(KVM_IOEVENTFD, "a network interface that comes when the container is started"),
    REQUEST(KVM_SET_USER_MEMORY_REGION, "memory slots grow on demand"),
    REQUEST(KVM_CREATE_VCPU, "virtual CPUs are made on demand"),
    REQUEST_AS(monitor::kSetCpuid2, "KVM_SET_CPUID2", "a new virtual CPU"),
    REQUEST_AS(monitor::kSetMsrs, "KVM_SET_MSRS", "a new virtual CPU"),
    REQUEST_AS(monitor::kGetMsrs, "KVM_GET_MSRS", "crash report"),
    REQUEST(KVM_SET_XCRS, "a new virtual CPU"),
    REQUEST(KVM_HAS_DEVICE_ATTR, "a new virtual CPU: is there a TSC offset to set"),
    REQUEST(KVM_SET_DEVICE_ATTR, "a new virtual CPU: its TSC offset"),
    REQUEST(KVM_GET_TSC_KHZ, "a new virtual CPU"),
    REQUEST(TCGETS, "the terminal behind stdio"),
    REQUEST(TCSETS, "the terminal behind stdio"),
    REQUEST(TIOCGWINSZ, "size of the terminal behind stdio"),
    REQUEST(TIOCSWINSZ, "size of the terminal behind stdio"),
};

constexpr Alternative kNotExecutable[] = {
    masked(2, PROT_EXEC, 0, "no PROT_EXEC", "the process never gains code"),
};

constexpr uint32_t kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
constexpr uint32_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

constexpr Alternative kClone[] = {
    masked(0, kThreadFlags | kNamespaceFlags | CLONE_PTRACE, kThreadFlags, "threads only",
           "executors and workers"),
};

constexpr Alternative kOwnProcess[] = {
    own_process("pid == own", "kicks a virtual CPU out of the guest; abort(3)"),
};

constexpr Alternative kMknod[] = {
    masked(2, S_IFMT, S_IFREG, "regular file", "mknod(2) in a bind mount"),
    masked(2, S_IFMT, S_IFIFO, "FIFO", "mknod(2) in a bind mount"),
    masked(2, S_IFMT, S_IFSOCK, "socket", "bind(2) in a bind mount"),
    masked(2, S_IFMT, 0, "regular file by default", "mknod(2) in a bind mount"),
};

constexpr Alternative kFcntl[] = {
    equal(1, F_GETFL, "F_GETFL", "status flags of a donated file or stream"),
    equal(1, F_DUPFD_CLOEXEC, "F_DUPFD_CLOEXEC", "a donated file is opened"),
};

constexpr Alternative kPrctl[] = {
    equal(0, PR_SET_NAME, "PR_SET_NAME", "names a thread"),
};

#define ANY(name, reason) \
  Rule { SYS_##name, #name, {}, reason }
#define SOME(name, alternatives, reason) \
  Rule { SYS_##name, #name, alternatives, reason }

constexpr Rule kRules[] = {
    SOME(ioctl, kIoctls, "KVM and the terminal"),
    ANY(futex, "idle virtual CPUs, locks"),
    ANY(read, "donated streams, eventfd, signalfd"),
    ANY(write, "donated streams, debug log, eventfd"),
    Rule{SYS_writev, "writev", {}, "last words of libc, which then aborts", Verdict::no_such_call},
    ANY(preadv2, "files of the container, donated streams"),
    ANY(pwritev2, "files of the container, donated streams"),
    ANY(openat2, "files beneath donated directories"),
    ANY(close, "files of the container"),
    ANY(recvmsg, "requests of runsc's commands, with descriptors"),
    ANY(inotify_init1, "changes beneath donated directories"),
    ANY(inotify_add_watch, "changes beneath donated directories"),
    ANY(inotify_rm_watch, "changes beneath donated directories"),
    ANY(fchdir, "inotify looks names up from the working directory"),
    Rule{SYS_fstat, "fstat", {}, "newfstatat does the same", Verdict::no_such_call},
    ANY(newfstatat, "files of the container"),
    ANY(getdents64, "directories of the container"),
    ANY(lseek, "directories; SEEK_DATA, SEEK_HOLE"),
    ANY(readlinkat, "links of the container"),
    SOME(mmap, kNotExecutable, "file window, heap, thread stacks"),
    ANY(munmap, "file window, heap, thread stacks"),
    SOME(mprotect, kNotExecutable, "heap and thread stacks"),
    ANY(madvise, "guest memory back to the host; shoot-down of translations"),
    ANY(fallocate, "guest memory back to the host; fallocate(2)"),
    ANY(brk, "heap"),
    ANY(ppoll, "streams and signals"),
    ANY(epoll_wait, "event loop of the monitor"),
    ANY(epoll_ctl, "event loop of the monitor"),
    SOME(tgkill, kOwnProcess, "signals within the process"),
    ANY(rt_sigreturn, "end of a signal handler"),
    ANY(rt_sigprocmask, "new threads; abort(3)"),
    ANY(rt_sigaction, "the first new thread; abort(3)"),
    ANY(restart_syscall, "the kernel restarts a timed wait with it"),
    SOME(clone, kClone, "new threads"),
    Rule{SYS_clone3,
         "clone3",
         {},
         "its flags are out of a filter's sight: libc falls back to clone",
         Verdict::no_such_call},
    Rule{SYS_set_robust_list,
         "set_robust_list",
         {},
         "new threads try it; no lock here outlives its process",
         Verdict::no_such_call},
    ANY(rseq, "new threads"),
    SOME(prctl, kPrctl, "new threads"),
    ANY(gettid, "signals within the process"),
    ANY(getpid, "signals within the process"),
    ANY(sched_yield, "a CPU that looks for work before it sleeps"),
    ANY(clock_gettime, "hosts whose clock the vDSO cannot read"),
    ANY(sigaltstack, "new threads: faults of guarded copies are taken on a stack of their own"),
    ANY(exit, "end of a thread"),
    ANY(exit_group, "end of the sandbox"),
    ANY(getrandom, "random numbers of the container"),
    ANY(ftruncate, "writable bind mounts"),
    ANY(fsync, "writable bind mounts"),
    ANY(syncfs, "writable bind mounts"),
    ANY(fchmod, "writable bind mounts"),
    ANY(fchownat, "writable bind mounts"),
    ANY(utimensat, "writable bind mounts"),
    ANY(mkdirat, "writable bind mounts"),
    SOME(mknodat, kMknod, "writable bind mounts; no device nodes"),
    ANY(unlinkat, "writable bind mounts"),
    ANY(renameat2, "writable bind mounts"),
    ANY(linkat, "writable bind mounts"),
    ANY(symlinkat, "writable bind mounts"),
    ANY(fgetxattr, "extended attributes on host files"),
    ANY(flistxattr, "extended attributes on host files"),
    ANY(fsetxattr, "writable bind mounts"),
    ANY(fremovexattr, "writable bind mounts"),
    ANY(fstatfs, "statfs(2) on host files"),
    SOME(fcntl, kFcntl, "donated files and streams"),

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    // What the sanitizers' runtimes do beside the program: builds for tests only.
    ANY(mremap, "sanitizer: shadow memory"),
    ANY(msync, "sanitizer: probes of memory"),
    ANY(mincore, "sanitizer: probes of memory"),
    ANY(pipe, "sanitizer: probes of memory"),
    ANY(pipe2, "sanitizer: probes of memory"),
    ANY(open, "sanitizer: warnings of allocations that are too large"),
    ANY(sched_getaffinity, "sanitizer: sizes of pools"),
    ANY(prlimit64, "sanitizer: sizes of stacks"),
    ANY(openat, "sanitizer: memory map in a report"),
    ANY(readlink, "sanitizer: program name in a report"),
    ANY(getppid, "sanitizer: a report"),
    ANY(gettimeofday, "sanitizer: the start of a thread"),
    ANY(nanosleep, "sanitizer: the start of a thread"),
#endif
};

#undef ANY
#undef SOME
#undef REQUEST
#undef REQUEST_AS

constexpr bool no_number_twice() {
  for (size_t i = 0; i < std::size(kRules); ++i) {
    for (size_t j = i + 1; j < std::size(kRules); ++j) {
      if (kRules[i].number == kRules[j].number) return false;
    }
  }
  return true;
}
constexpr size_t count_allowed() {
  return static_cast<size_t>(std::count_if(std::begin(kRules), std::end(kRules),
                                           [](const Rule& rule) { return rule.verdict == Verdict::allow; }));
}
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static_assert(count_allowed() <= kMaxAllowed);
#endif
static_assert(no_number_twice());
static_assert(std::all_of(std::begin(kRules), std::end(kRules),
                          [](const Rule& r) { return r.reason[0] != '\0'; }));

}  // namespace

std::span<const Rule> jail_rules() { return kRules; }

}  // namespace runsc::oci
