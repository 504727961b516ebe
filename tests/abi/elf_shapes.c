// Executables of many shapes, made here byte by byte: what the loader accepts, maps and clears; elf(5).
#include <elf.h>

#include "abi.h"

// The program: exits with the byte at `data`, plus those of its bss if they are not all zero.
static struct {
  Elf64_Ehdr header;
  Elf64_Phdr program[8];
  unsigned char code[256];
  char space[4096 * 3];
} g_file;

enum { kCode = sizeof(Elf64_Ehdr) + 8 * sizeof(Elf64_Phdr) };
static const uint64_t kBase = 0x10000000;

static void fresh(void) {
  memset(&g_file, 0, sizeof(g_file));
  Elf64_Ehdr* h = &g_file.header;
  memcpy(h->e_ident, ELFMAG, SELFMAG);
  h->e_ident[EI_CLASS] = ELFCLASS64;
  h->e_ident[EI_DATA] = ELFDATA2LSB;
  h->e_ident[EI_VERSION] = EV_CURRENT;
  h->e_type = ET_EXEC;
  h->e_machine = EM_X86_64;
  h->e_version = EV_CURRENT;
  h->e_entry = kBase + kCode;
  h->e_phoff = sizeof(Elf64_Ehdr);
  h->e_ehsize = sizeof(Elf64_Ehdr);
  h->e_phentsize = sizeof(Elf64_Phdr);
  h->e_phnum = 1;
  g_file.program[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                   .p_flags = PF_R | PF_X,
                                   .p_vaddr = kBase,
                                   .p_paddr = kBase,
                                   .p_filesz = 4096,
                                   .p_memsz = 4096,
                                   .p_align = 4096};
  // mov $60, %eax; mov $7, %edi; syscall
  memcpy(g_file.code, "\xb8\x3c\0\0\0\xbf\x07\0\0\0\x0f\x05", 12);
}

static void put(size_t size) {
  unlink("x");
  int fd = OK(open("x", O_CREAT | O_WRONLY | O_TRUNC, 0755));
  CHECK_EQ(write(fd, &g_file, size), size);
  OK(close(fd));
}

static char* g_args[] = {"x", NULL};

static pid_t start(void) {
  put(sizeof(g_file));
  return FORK(execv("./x", g_args); _exit(100 + (errno == ENOEXEC)));
}

// `mov ADDRESS, %rax; movzbl (%rax), %edi; mov $60, %eax; syscall`: exits with the byte there.
static void exit_with(uint64_t address) {
  unsigned char* c = g_file.code;
  memcpy(c, "\x48\xb8", 2);
  memcpy(c + 2, &address, 8);
  memcpy(c + 10, "\x0f\xb6\x38\xb8\x3c\0\0\0\x0f\x05", 10);
}

static void good(void) {
  fresh();
  WAIT_EXIT(start(), 7);
  // A second segment with a tail to clear in the page it shares with the file, and pages beyond.
  fresh();
  g_file.header.e_phnum = 2;
  g_file.program[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                                   .p_flags = PF_R | PF_W,
                                   .p_offset = 4096,
                                   .p_vaddr = kBase + 0x10000,
                                   .p_filesz = 100,
                                   .p_memsz = 3 * 4096,
                                   .p_align = 4096};
  memset((char*)&g_file + 4096, 9, 4096);
  const struct {
    int at, want;
  } bytes[] = {{0, 9}, {99, 9}, {100, 0}, {4095, 0}, {4096, 0}, {3 * 4096 - 1, 0}};
  for (int i = 0; i < 6; i++) {
    exit_with(kBase + 0x10000 + bytes[i].at);
    WAIT_EXIT(start(), bytes[i].want);
  }
  exit_with(kBase + 0x10000 + 3 * 4096);
  WAIT_SIGNAL(start(), SIGSEGV);
  // Nothing but cleared memory.
  g_file.program[1].p_filesz = 0;
  exit_with(kBase + 0x10000);
  WAIT_EXIT(start(), 0);
  // Not at the start of a page: offset and address agree within one.
  g_file.program[1].p_offset = 4096 + 0x123;
  g_file.program[1].p_vaddr += 0x123;
  g_file.program[1].p_filesz = 10;
  g_file.program[1].p_memsz = 10;
  exit_with(kBase + 0x10123);
  WAIT_EXIT(start(), 9);
  // Position independent.
  fresh();
  g_file.header.e_type = ET_DYN;
  g_file.header.e_entry = kCode;
  g_file.program[0].p_vaddr = 0;
  WAIT_EXIT(start(), 7);
  // Other kinds of segment do not disturb; PT_GNU_STACK gives an executable stack if it asks.
  fresh();
  g_file.header.e_phnum = 3;
  g_file.program[1] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = 100, .p_filesz = 0};
  g_file.program[2] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X};
  memcpy(g_file.code, "\xff\xe4", 2);  // jmp *%rsp: argc, that is 1 and zeros: add %eax, (%rcx) ...
  WAIT_SIGNAL(start(), SIGSEGV);
  // Write protection of the text.
  fresh();
  memcpy(g_file.code, "\xc6\x05\0\0\0\0\x01", 7);  // movb $1, 0(%rip)
  WAIT_SIGNAL(start(), SIGSEGV);
  // A tail of rubbish, no section headers, a file cut at the last byte used.
  fresh();
  put(kCode + 12);
  pid_t pid = FORK(execv("./x", g_args); _exit(99));
  WAIT_EXIT(pid, 7);
}

static void bad(void) {
#define REFUSED(change, error)          \
  do {                                  \
    fresh();                            \
    change;                             \
    put(sizeof(g_file));                \
    FAILS(execv("./x", g_args), error); \
  } while (0)
  REFUSED(g_file.header.e_ident[1] = 'X', ENOEXEC);
  REFUSED(g_file.header.e_machine = EM_AARCH64, ENOEXEC);
  REFUSED(g_file.header.e_type = ET_REL, ENOEXEC);
  REFUSED(g_file.header.e_type = ET_CORE, ENOEXEC);
  REFUSED(g_file.header.e_phentsize = 32, ENOEXEC);
  REFUSED(g_file.header.e_phnum = 0, ENOEXEC);
  REFUSED(g_file.header.e_phnum = 2000, ENOEXEC);
  REFUSED(g_file.program[1] = ((Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 4096, .p_filesz = 1});
          g_file.header.e_phnum = 2, ENOEXEC);
  REFUSED(g_file.program[1] = ((Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 4096, .p_filesz = 20});
          memset((char*)&g_file + 4096, 'i', 20); g_file.header.e_phnum = 2, ENOEXEC);  // no end
  REFUSED(g_file.program[1] = ((Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 4096, .p_filesz = 20});
          strcpy((char*)&g_file + 4096, "/missing/loader.so1"); g_file.header.e_phnum = 2, ENOENT);
  fresh();
  put(40);  // cut within the header
  FAILS(execv("./x", g_args), ENOEXEC);
  // Found out too late to return: the program dies.
  fresh();
  g_file.program[0].p_vaddr = 0xffff800000000000;
  int status = WAIT_STATUS(start());
  CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 100);
  fresh();
  g_file.header.e_entry = 0x4000;
  WAIT_SIGNAL(start(), SIGSEGV);
}

int main(void) {
  abi_scratch();
  good();
  bad();
  return 0;
}
