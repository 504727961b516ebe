// The auxiliary vector of a fresh program: getauxval(3), execve(2).
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "abi.h"

static int has(unsigned long type) {
  int fd = OK(open("/proc/self/auxv", O_RDONLY));
  Elf64_auxv_t entry;
  int found = 0;
  while (read(fd, &entry, sizeof(entry)) == sizeof(entry)) {
    if (entry.a_type == AT_NULL) break;
    if (entry.a_type == type) {
      found++;
      // (The library keeps words of its own in place of AT_HWCAP and AT_HWCAP2.)
      if (type != AT_HWCAP && type != AT_HWCAP2) CHECK_EQ(entry.a_un.a_val, getauxval(type));
    }
  }
  CHECK_EQ(entry.a_type, AT_NULL);
  OK(close(fd));
  return found;
}

static int find_main(struct dl_phdr_info* info, size_t size, void* data) {
  (void)size;
  *(const void**)data = info->dlpi_phdr;
  return 1;  // the first is the program itself
}

int main(int argc, char** argv) {
  (void)argc;
  CHECK_EQ(getauxval(AT_PAGESZ), 4096);
  CHECK_EQ(getauxval(AT_CLKTCK), 100);
  CHECK_EQ(getauxval(AT_SECURE), 0);
  CHECK_EQ(getauxval(AT_UID), getuid());
  CHECK_EQ(getauxval(AT_EUID), geteuid());
  CHECK_EQ(getauxval(AT_GID), getgid());
  CHECK_EQ(getauxval(AT_EGID), getegid());
  CHECK_EQ(getauxval(AT_FLAGS), 0);
  CHECK(getauxval(AT_HWCAP) != 0);
  CHECK_STR((const char*)getauxval(AT_PLATFORM), "x86_64");
  CHECK_STR((const char*)getauxval(AT_EXECFN), argv[0]);
  CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
  const void* headers = NULL;
  dl_iterate_phdr(find_main, &headers);
  CHECK_EQ(getauxval(AT_PHDR), headers);
  CHECK(getauxval(AT_PHNUM) >= 3);

  // A dynamic program: the interpreter has a base of its own, the entry is ours.
  const Elf64_Ehdr* interpreter = (const Elf64_Ehdr*)getauxval(AT_BASE);
  CHECK(interpreter != NULL);
  CHECK_EQ(memcmp(interpreter->e_ident, ELFMAG, SELFMAG), 0);
  const Elf64_Phdr* phdr = headers;
  unsigned long base = 0, entry = getauxval(AT_ENTRY);
  bool inside = false;
  for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
    if (phdr[i].p_type == PT_PHDR) base = (unsigned long)headers - phdr[i].p_vaddr;
  }
  for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
    if (phdr[i].p_type != PT_LOAD || !(phdr[i].p_flags & PF_X)) continue;
    if (entry >= base + phdr[i].p_vaddr && entry < base + phdr[i].p_vaddr + phdr[i].p_memsz) inside = true;
  }
  CHECK(inside);

  const Elf64_Ehdr* vdso = (const Elf64_Ehdr*)getauxval(AT_SYSINFO_EHDR);
  CHECK(vdso != NULL);
  CHECK_EQ((unsigned long)vdso % 4096, 0);
  CHECK_EQ(memcmp(vdso->e_ident, ELFMAG, SELFMAG), 0);
  CHECK_EQ(vdso->e_type, ET_DYN);

  // Sixteen random bytes, others in another program.
  const unsigned char* random = (const unsigned char*)getauxval(AT_RANDOM);
  CHECK(random != NULL);
  unsigned char zero[16] = {0};
  CHECK(memcmp(random, zero, 16) != 0);

  unsigned long types[] = {AT_PAGESZ,       AT_CLKTCK, AT_SECURE,   AT_UID,   AT_EUID,  AT_GID,   AT_EGID,
                           AT_PHDR,         AT_PHENT,  AT_PHNUM,    AT_BASE,  AT_FLAGS, AT_ENTRY, AT_RANDOM,
                           AT_SYSINFO_EHDR, AT_EXECFN, AT_PLATFORM, AT_HWCAP, AT_HWCAP2};
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) CHECK_EQ(has(types[i]), 1);
  return 0;
}
