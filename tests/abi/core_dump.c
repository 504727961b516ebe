// core(5): what is dumped, where, and when not.
#include <elf.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>

#include "abi.h"

static char secret[64] = "kept in the data segment";
static char *heap, *hidden, *shared, *untouched;
static const char marker[] = "never written, hence not dumped";

static char* file;
static size_t file_size;

static void read_core(void) {
  int fd = OK(open("core", O_RDONLY));
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mode & 07777, 0600);
  file_size = st.st_size;
  file = OK(mmap(NULL, file_size, PROT_READ, MAP_PRIVATE, fd, 0));
  OK(close(fd));
}
static void drop_core(void) {
  OK(munmap(file, file_size));
  OK(unlink("core"));
}

static Elf64_Ehdr* header(void) { return (Elf64_Ehdr*)file; }
static Elf64_Phdr* segment(int i) { return (Elf64_Phdr*)(file + header()->e_phoff) + i; }

// The dumped bytes of an address, or null.
static const char* memory(const volatile void* address) {
  for (int i = 0; i < header()->e_phnum; ++i) {
    Elf64_Phdr* p = segment(i);
    unsigned long at = (unsigned long)address;
    if (p->p_type == PT_LOAD && at >= p->p_vaddr && at < p->p_vaddr + p->p_filesz)
      return file + p->p_offset + (at - p->p_vaddr);
  }
  return NULL;
}
static bool is_mapped(const volatile void* address) {
  for (int i = 0; i < header()->e_phnum; ++i) {
    Elf64_Phdr* p = segment(i);
    unsigned long at = (unsigned long)address;
    if (p->p_type == PT_LOAD && at >= p->p_vaddr && at < p->p_vaddr + p->p_memsz) return true;
  }
  return false;
}

// The n-th note of a type; its size in *size.
static const void* note(const char* owner, unsigned type, int n, size_t* size) {
  Elf64_Phdr* p = segment(0);
  CHECK_EQ(p->p_type, PT_NOTE);
  for (size_t at = 0; at < p->p_filesz;) {
    Elf64_Nhdr* h = (Elf64_Nhdr*)(file + p->p_offset + at);
    const char* name = (char*)(h + 1);
    const char* data = name + ((h->n_namesz + 3) & ~3u);
    if (h->n_type == type && strcmp(name, owner) == 0 && n-- == 0) {
      if (size) *size = h->n_descsz;
      return data;
    }
    at = data + ((h->n_descsz + 3) & ~3u) - (file + p->p_offset);
  }
  return NULL;
}

static void limit(rlim_t size) {
  struct rlimit l = {size, RLIM_INFINITY};
  OK(setrlimit(RLIMIT_CORE, &l));
}

static atomic_int sleeping;
static void* sleeper(void* unused) {
  (void)unused;
  sleeping = 1;
  for (;;) pause();
  return NULL;
}

static void crash(void) {
  pthread_t t;
  ZERO(pthread_create(&t, NULL, sleeper, NULL));
  abi_await(&sleeping, 1);
  strcpy(heap, "on a page of its own");
  strcpy(hidden, "not to be seen");
  strcpy(shared, "seen by all");
  __asm__ volatile("mov $0x1234567, %%r12\n\t"
                   "movq %%r12, %%xmm9\n\t"
                   "movl $1, 0x18\n\t" ::
                       : "r12", "xmm9", "memory");
}

static void whole(void) {
  heap = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  untouched = OK(mmap(NULL, 1 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  hidden = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(madvise(hidden, 4096, MADV_DONTDUMP));
  shared = abi_shared(4096);
  pid_t pid = FORK(limit(RLIM_INFINITY); crash());
  siginfo_t info;
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  CHECK_EQ(info.si_code, CLD_DUMPED);
  CHECK_EQ(info.si_status, SIGSEGV);
  int status = WAIT_STATUS(pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
  read_core();

  CHECK_EQ(memcmp(file, ELFMAG, 4), 0);
  CHECK_EQ(header()->e_type, ET_CORE);
  CHECK_EQ(header()->e_machine, EM_X86_64);
  CHECK_STR(memory(secret), secret);
  CHECK_STR(memory(heap), "on a page of its own");
  CHECK(memory(heap + 4096) != NULL);
  CHECK_EQ(*memory(heap + 4096), 0);
  CHECK(memory(hidden) == NULL);
  CHECK(memory(untouched) == NULL && is_mapped(untouched));
  CHECK_STR(memory(shared), "seen by all");
  CHECK(memory(marker) == NULL && is_mapped(marker));
  CHECK(file_size < 64 << 20);

  size_t size;
  const prstatus_t* s = note("CORE", NT_PRSTATUS, 0, &size);
  CHECK_EQ(size, sizeof(*s));
  CHECK_EQ(s->pr_pid, pid);
  CHECK_EQ(s->pr_ppid, getpid());
  CHECK_EQ(s->pr_cursig, SIGSEGV);
  CHECK_EQ(s->pr_info.si_signo, SIGSEGV);
  CHECK_EQ(s->pr_fpvalid, 1);
  CHECK_EQ(s->pr_reg[3], 0x1234567);  // r12
  CHECK(memory((void*)s->pr_reg[19]) != NULL);  // the stack
  CHECK((note("CORE", NT_PRSTATUS, 1, NULL)) != NULL);
  const prstatus_t* other = note("CORE", NT_PRSTATUS, 1, NULL);
  CHECK(other->pr_pid > pid);
  CHECK_EQ(other->pr_reg[15], SYS_pause);
  CHECK(note("CORE", NT_PRSTATUS, 2, NULL) == NULL);
  const prpsinfo_t* p = note("CORE", NT_PRPSINFO, 0, &size);
  CHECK_EQ(size, sizeof(*p));
  CHECK_EQ(p->pr_pid, pid);
  CHECK(strncmp(p->pr_fname, "core_dump", 9) == 0);
  CHECK(strstr(p->pr_psargs, "core_dump") != NULL);
  const siginfo_t* si = note("CORE", NT_SIGINFO, 0, &size);
  CHECK_EQ(size, 128);
  CHECK_EQ(si->si_signo, SIGSEGV);
  CHECK_EQ(si->si_code, SEGV_MAPERR);
  CHECK_EQ((long)si->si_addr, 0x18);
  const Elf64_auxv_t* aux = note("CORE", NT_AUXV, 0, NULL);
  while (aux->a_type != AT_ENTRY) {
    CHECK(aux->a_type != AT_NULL);
    ++aux;
  }
  CHECK(is_mapped((void*)aux->a_un.a_val));
  const long* files = note("CORE", NT_FILE, 0, &size);
  CHECK(files[0] > 3);
  CHECK_EQ(files[1], 4096);
  char self[256];
  self[OK(readlink("/proc/self/exe", self, sizeof(self) - 1))] = 0;
  CHECK_STR((char*)(files + 2 + 3 * files[0]), self);
  const char* fx = note("CORE", NT_FPREGSET, 0, &size);
  CHECK_EQ(size, 512);
  CHECK_EQ(*(long*)(fx + 160 + 9 * 16), 0x1234567);
  CHECK(note("CORE", NT_FPREGSET, 1, NULL) != NULL);
  const char* x = note("LINUX", NT_X86_XSTATE, 0, &size);
  CHECK(size > 512);
  CHECK_EQ(*(long*)(x + 160 + 9 * 16), 0x1234567);
  drop_core();
}

// Which kinds of memory, by the filter.
static void filtered(void) {
  pid_t pid = FORK(limit(RLIM_INFINITY); abi_put("/proc/self/coredump_filter", "0x12"); crash());
  CHECK(WCOREDUMP(WAIT_STATUS(pid)));
  read_core();
  CHECK(memory(secret) == NULL && is_mapped(secret));
  CHECK(memory(heap) == NULL);
  CHECK_STR(memory(shared), "seen by all");
  drop_core();
  char text[16];
  IN_CHILD(abi_put("/proc/self/coredump_filter", "0x7f"); abi_get("/proc/self/coredump_filter", text, 16);
           CHECK_STR(text, "0000007f\n"); IN_CHILD(abi_get("/proc/self/coredump_filter", text, 16);
                                                   CHECK_STR(text, "0000007f\n")));
  abi_get("/proc/self/coredump_filter", text, 16);
  CHECK_STR(text, "00000033\n");
}

static void no_core(pid_t pid, int signal) {
  CHECK_EQ(WAIT_STATUS(pid), signal);  // without the flag
  CHECK(!abi_exists("core"));
}

static void not_always(void) {
  no_core(FORK(limit(0); abort()), SIGABRT);
  no_core(FORK(limit(RLIM_INFINITY); raise(SIGTERM)), SIGTERM);
  no_core(FORK(limit(RLIM_INFINITY); OK(prctl(PR_SET_DUMPABLE, 0)); abort()), SIGABRT);
  no_core(FORK(limit(RLIM_INFINITY); OK(mkdir("d", 0755)); OK(chdir("d")); OK(rmdir("../d")); abort()), SIGABRT);
  // As much as the limit lets through.
  CHECK(WCOREDUMP(WAIT_STATUS(FORK(limit(8192); abort()))));
  struct stat st;
  OK(stat("core", &st));
  CHECK(st.st_size <= 8192);
  // What is there is replaced, not written into.
  OK(unlink("core"));
  abi_put("other", "untouched");
  OK(link("other", "core"));
  for (int signal = SIGQUIT; signal; signal = signal == SIGQUIT ? SIGTRAP : signal == SIGTRAP ? SIGXCPU : 0)
    CHECK_EQ(WAIT_STATUS(FORK(limit(RLIM_INFINITY); raise(signal))), signal | 0x80);
  char text[16];
  abi_get("other", text, sizeof(text));
  CHECK_STR(text, "untouched");
  read_core();
  drop_core();
}

int main(void) {
  // Machines may send dumps elsewhere.
  char pattern[256];
  abi_get("/proc/sys/kernel/core_pattern", pattern, sizeof(pattern));
  if (strcmp(pattern, "core\n") != 0) return 0;
  abi_scratch();
  whole();
  filtered();
  not_always();
  return 0;
}
